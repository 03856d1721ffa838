package lab

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/loadgen/network"
)

// echo is where the test's own program is to echo what it gets, on another machine.
const echo = "LAB_ECHO"

func TestMain(m *testing.M) {
	if at := os.Getenv(echo); at != "" {
		serveEcho(at)
		return
	}
	goleak.VerifyTestMain(m)
}

// serveEcho echoes lines until its input ends.
func serveEcho(at string) {
	listener, err := net.ListenPacket("udp4", at)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	buffer := make([]byte, 100)
	for {
		n, from, err := listener.ReadFrom(buffer)
		if err != nil {
			return
		}
		_, _ = listener.WriteTo(buffer[:n], from)
	}
}

func TestMachinesReachOneAnother(t *testing.T) {
	l := New(t, 4)
	l.Slow(2, network.Direction{Delay: 30 * time.Millisecond}, network.Direction{Delay: 20 * time.Millisecond})
	l.SlowBetween([]int{0, 3}, network.Direction{Delay: 40 * time.Millisecond})
	for _, c := range []struct {
		name   string
		to     int
		slower time.Duration
	}{
		{"over the bridge", 1, 0},
		{"over a slow link, both ways", 2, 50 * time.Millisecond},
		{"between two that are slow to one another", 3, 80 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := net.UDPAddr{IP: l.Address(c.to).AsSlice(), Port: 4000}
			server := l.Command(c.to, os.Args[0])
			server.Env = append(os.Environ(), echo+"="+at.String())
			said, err := server.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, server.Start())
			defer func() {
				_ = server.Process.Kill()
				_ = server.Wait()
			}()
			line := make([]byte, 100)
			n, err := said.Read(line)
			require.NoError(t, err)
			require.Equal(t, "ready\n", string(line[:n]))

			var took time.Duration
			l.within(l.machine(0), func() error {
				client, err := net.DialUDP("udp4", nil, &at)
				if err != nil {
					return err
				}
				defer client.Close()
				for range 20 { // the first ones wait for ARP, and may be lost
					sent := time.Now()
					if _, err = client.Write([]byte("hello")); err != nil {
						return err
					}
					_ = client.SetReadDeadline(time.Now().Add(time.Second))
					if n, err = client.Read(line); err == nil {
						took = time.Since(sent)
						return nil
					}
				}
				return err
			})
			assert.Equal(t, "hello", string(line[:n]))
			assert.GreaterOrEqual(t, took, c.slower)
		})
	}
}
