package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// inOwnNetwork has this program play the broadcast with the full socket, in a network of
// its own: the way in which it sends, by its number, and the server's program.
const inOwnNetwork = "EARSHOT_FAULTS_OWN_NETWORK"

// congested is for how many frames the server's link takes next to nothing.
const congested = 300

// A server whose sockets are full, since its link takes next to nothing for some seconds,
// drops what it can't send, and sends every frame of two seconds later on.
func TestServerWithFullSocketsRecovers(t *testing.T) {
	t.Parallel()
	if given := os.Getenv(inOwnNetwork); given != "" {
		number, program, _ := strings.Cut(given, " ")
		way, err := strconv.Atoi(number)
		require.NoError(t, err)
		congest(t, program, sendingWays[way].hold)
		return
	}
	for i, way := range sendingWays {
		t.Run(way.sentence, func(t *testing.T) {
			t.Parallel()
			program, err := way.tight()
			require.NoError(t, err)
			places := int64(2)
			var text []byte
			for range tries {
				share(t, places, func() { text, err = ownNetwork(t, fmt.Sprint(i, " ", program)) })
				if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
					t.Skip("no network of its own can be made:", err)
				}
				if err == nil {
					break
				}
				t.Logf("%v\n%s", err, text)
				places = morePlaces(places)
			}
			require.NoError(t, err)
			if strings.Contains(string(text), "--- SKIP") {
				t.Skipf("%s", text)
			}
		})
	}
}

// ownNetwork runs the test again, as root of a user namespace with a network.
func ownNetwork(t *testing.T, given string) ([]byte, error) {
	self, err := os.Executable()
	require.NoError(t, err)
	again := exec.Command(self, "-test.run", "^TestServerWithFullSocketsRecovers$", "-test.v", "-test.timeout", "3m")
	again.Env = append(os.Environ(), inOwnNetwork+"="+given)
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	return again.CombinedOutput()
}

// congest plays the broadcast over a link from another network to this one, and has the
// link take next to nothing on the way here.
func congest(t *testing.T, program string, hold int) {
	other := otherNetwork(t)
	s := stage{program: append(other, program), at: "10.99.0.2", from: net.IPv4(10, 99, 0, 1), hold: hold, listeners: 12}
	require.NoError(t, s.play(t, func(b *broadcast) error {
		before := b.memory()
		command(t, other, "tc qdisc add dev there root tbf rate 100kbit burst 4kb limit 100mb")
		b.awaitSent(b.sent() + congested)
		worst := b.memory()
		command(t, other, "tc qdisc del dev there root")
		again := b.sent()
		b.awaitSent(again + recovery + after)
		for _, l := range b.listeners {
			if err := l.has(again+recovery, again+recovery+after); err != nil {
				return err
			}
		}
		if failed := b.figure(`earshot_media_packets_dropped_total{reason="failed"}`); failed == 0 {
			return errors.New("the server has dropped nothing, so its sockets were not full")
		}
		if worst > before+moreMemory {
			return fmt.Errorf("the server had %d bytes of memory, and %d at the worst", before, worst)
		}
		return b.bounded(before)
	}))
}

// otherNetwork makes a network that a link leads to, and returns the command that starts
// programs there.
func otherNetwork(t *testing.T) []string {
	t.Helper()
	for _, tool := range []string{"ip", "tc", "unshare", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	holder := exec.Command("unshare", "-n", "sh", "-c", "echo made; exec cat")
	stdin, err := holder.StdinPipe()
	require.NoError(t, err)
	stdout, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() {
		_ = stdin.Close() // cat ends, and may have
		_ = holder.Wait()
	})
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	pid := strconv.Itoa(holder.Process.Pid)
	there := []string{"nsenter", "-t", pid, "-n"}
	if out, err := exec.Command("ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", pid).CombinedOutput(); err != nil {
		t.Skipf("no link can be made: %s", out)
	}
	command(t, nil, "ip address add 10.99.0.1/24 dev here")
	command(t, nil, "ip link set here up")
	command(t, nil, "ip link set lo up")
	command(t, there, "ip address add 10.99.0.2/24 dev there")
	command(t, there, "ip link set there up")
	command(t, there, "ip link set lo up")
	return there
}

// command runs a command, of words without spaces, after another.
func command(t *testing.T, before []string, text string) {
	t.Helper()
	words := append(append([]string{}, before...), strings.Fields(text)...)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	require.NoError(t, err, "%v: %s", words, out)
}

// figure is a metric of the server's, by its name and labels.
func (b *broadcast) figure(name string) float64 {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, b.server.URL+"/metrics", nil)
	require.NoError(b.t, err)
	resp, err := client.Do(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	_, rest, ok := strings.Cut(string(text), "\n"+name+" ")
	require.True(b.t, ok, name)
	line, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(line, 64)
	require.NoError(b.t, err)
	return value
}
