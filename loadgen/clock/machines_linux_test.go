package clock

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/earshot-audio/earshot/internal/lab"
	"github.com/earshot-audio/earshot/loadgen/network"
)

// What the test's own program is to do on another machine, and with which address.
const (
	serving   = "CLOCK_TEST_SERVE"
	following = "CLOCK_TEST_FOLLOW"
)

// shared is a clock that all processes of this machine read alike.
func shared() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// skewed is how far the served clock is ahead of the shared one: by 250 ms, and 100 ppm.
func skewed(at time.Duration) time.Duration { return 250*ms + at/10_000 }

// onAnotherMachine does what the program was started for on a machine of a lab, and reports
// whether it was.
func onAnotherMachine() bool {
	var err error
	switch at, follow := os.Getenv(serving), os.Getenv(following); {
	case at != "":
		err = serveSkewed(at)
	case follow != "":
		err = printOffsets(follow)
	default:
		return false
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func serveSkewed(at string) error {
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	s, err := server.NewServer(&server.Options{Host: host, Port: number, NoSigs: true, NoLog: true})
	if err != nil {
		return err
	}
	s.Start()
	defer s.Shutdown()
	conn, err := nats.Connect("nats://"+at, nats.RetryOnFailedConnect(true), nats.ReconnectWait(50*ms), nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	defer conn.Close()
	clock := OfMachine(func() time.Duration { now := shared(); return now + skewed(now) })
	if _, err := Serve(conn, "clock", clock); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// printOffsets prints a moment of the shared clock and the offset at it, again and again.
func printOffsets(at string) error {
	conn, err := nats.Connect("nats://"+at, nats.RetryOnFailedConnect(true), nats.ReconnectWait(50*ms), nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	defer conn.Close()
	f := Follow(Over(conn, "clock"), OfMachine(shared))
	defer f.Close()
	for {
		time.Sleep(50 * ms)
		now := shared()
		if o, err := f.At(now); err == nil {
			if _, err := fmt.Println(int64(now), int64(o.Least), int64(o.Most)); err != nil {
				return nil // nobody reads any more
			}
		}
	}
}

// Real processes on real links: the truth is known, because the machines of a lab have one
// clock in truth.
func TestOffsetBetweenMachines(t *testing.T) {
	l := lab.New(t, 3)
	l.Slow(2, network.Direction{Delay: 20 * ms}, network.Direction{})
	at := l.Address(0).String() + ":4222"
	serve := l.Command(0, os.Args[0])
	serve.Env = append(os.Environ(), serving+"="+at)
	serve.Stderr = os.Stderr
	stop, err := serve.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, serve.Start())
	defer func() {
		_ = stop.Close()
		_ = serve.Wait()
	}()
	for _, c := range []struct {
		name    string
		machine int
		bound   time.Duration // at least
	}{
		{"over a bridge", 1, 0},
		{"over a link that takes 20 ms one way and nothing the other, the bound covers the error of 10 ms", 2, 10 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			follow := l.Command(c.machine, os.Args[0])
			follow.Env = append(os.Environ(), following+"="+at)
			follow.Stderr = os.Stderr
			says, err := follow.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, follow.Start())
			defer func() {
				_ = follow.Process.Kill()
				_ = follow.Wait()
			}()
			lines := bufio.NewScanner(says)
			var last Offset
			for range 20 {
				require.True(t, lines.Scan(), "it prints offsets")
				var now time.Duration
				_, err := fmt.Sscan(lines.Text(), (*int64)(&now), (*int64)(&last.Least), (*int64)(&last.Most))
				require.NoError(t, err, lines.Text())
				assert.LessOrEqual(t, last.Least, skewed(now)+2)
				assert.GreaterOrEqual(t, last.Most, skewed(now)-2)
				assert.GreaterOrEqual(t, last.Bound(), c.bound)
			}
			t.Logf("bound %v, error %v", last.Bound(), (last.Middle() - skewed(shared())).Abs())
		})
	}
}
