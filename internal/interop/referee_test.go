package interop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A refereedGame is one at LiveKit that listeners with its own SDK (tools/referee) sit in, too.
type refereedGame struct {
	title, scenario string
	listeners       int // of the referee
	loses           float64
}

var refereedGames = []refereedGame{
	{title: "500 listeners, a sound link", scenario: "testdata/refereed.yaml", listeners: 5},
	{title: "50 listeners, a link that loses 5 %", scenario: "testdata/refereedloss.yaml", listeners: 50, loses: 0.05},
}

// Losses that are so far apart are not the same, as a share of the referee's. By chance they are 2.5 % apart: each of
// the two counts about 3,000 lost packets.
const apart = 0.1

// TestRefereeCountsTheSameLoss plays at LiveKit while the referee counts by sequence numbers.
func TestRefereeCountsTheSameLoss(t *testing.T) {
	livekit, referee := refereed(t)
	if !inOwnNetwork(t) {
		return
	}
	earshot := buildEarshot(t)
	rows := "| at LiveKit " + livekit.version + " | joined | delivered | earshot: lost | referee: lost | link: dropped |\n|---|---|---|---|---|---|\n"
	for _, g := range refereedGames {
		t.Run(g.title, func(t *testing.T) {
			server := livekit.start(t, earshot)
			drops := func() string { return "none" }
			if g.loses > 0 {
				drops = lose(t, g.loses)
			}
			is, says := g.play(t, livekit, server, earshot, referee)
			joined, delivered, loss := is.Metrics["joined"], is.Metrics["delivered"], is.Metrics["loss"]
			received, lost, late := says.between(is.steady())
			require.NotZero(t, received, "of the referee's: %v", says.Refused)
			share := 100 * float64(lost) / float64(received+lost)
			row := fmt.Sprintf("| %s | %d of %d | %.2f %% | %.2f %%: %d of %d packets | %.2f %%: %d of %d packets, by %d listeners | %s |\n", g.title, joined.Passes, joined.Total,
				100*delivered.Rate, loss.Avg, delivered.Total-delivered.Passes, delivered.Total, share, lost, received+lost, says.Joined, drops())
			rows += row
			t.Log(row)
			require.Equal(t, "pass", is.Verdict, is.text)
			require.Equal(t, g.listeners, says.Joined, "why not: %v", says.Refused)
			require.Len(t, says.Streams, g.listeners, "each listener of the referee hears the one speaker")
			assert.Zero(t, late, "nobody asks for audio again, and nothing overtakes on one machine")
			if g.loses > 0 {
				assert.InEpsilon(t, share, loss.Avg, apart, "the shares lost by the referee and by earshot")
			} else {
				assert.LessOrEqual(t, share, 0.01, "lost by the referee, in percent")
			}
		})
	}
	t.Logf("\n%s", rows)
	if whole := strings.Count(rows, "\n") == 2+len(refereedGames); *update && !t.Failed() && whole { // none was skipped
		write(t, "make interop UPDATE=1, with the referee,", rows)
	}
}

// refereed returns LiveKit and the referee's program, or skips the test if make peers has not built them.
func refereed(t *testing.T) (livekit peer, referee string) {
	t.Helper()
	if *built == "" || *sideBySide {
		t.Skip("plays at LiveKit beside a referee: make interop")
	}
	referee, err := filepath.Abs(filepath.Join(*built, "referee"))
	require.NoError(t, err)
	for _, p := range peers {
		if p.name == "livekit" && !p.older {
			livekit = p
		}
	}
	for _, program := range []string{referee, filepath.Join(*built, livekit.name+"-"+livekit.version)} {
		if _, err := os.Stat(program); err != nil {
			t.Skipf("make peers has not built it: %v", err)
		}
	}
	return livekit, referee
}

// play plays the game, and returns what earshot and the referee say of it.
func (g refereedGame) play(t *testing.T, livekit peer, server *os.Process, earshot, referee string) (is played, says verdict) {
	t.Helper()
	is = untilDecided(t, func() (summary, said []byte) {
		var out, log bytes.Buffer
		watch := exec.Command(referee, "-listeners", strconv.Itoa(g.listeners), "-url", livekit.target[1])
		watch.Env = append(os.Environ(), livekit.environment...)
		watch.Stdout, watch.Stderr = &out, &log
		require.NoError(t, watch.Start())
		summary, said = livekit.play(t, earshot, server.Pid, true, "run", g.scenario)
		// The run has deleted the room. Whatever the referee waits for now does not come.
		patience := time.AfterFunc(10*time.Second, func() { _ = watch.Process.Signal(os.Interrupt) })
		err := watch.Wait()
		patience.Stop()
		require.NoError(t, err, "the referee: %s", log.String())
		says = verdict{}
		require.NoError(t, json.Unmarshal(out.Bytes(), &says))
		return summary, said
	})
	return is, says
}

// A verdict is what the referee writes.
type verdict struct {
	Joined  int
	Refused []string
	Streams []struct {
		Listener string
		Seconds  []struct {
			At                   int64
			Received, Lost, Late uint64
		}
	}
}

// between sums up what its listeners heard in whole seconds.
func (v verdict) between(from, until time.Time) (received, lost, late uint64) {
	for _, s := range v.Streams {
		for _, second := range s.Seconds {
			if at := time.Unix(second.At, 0); at.Before(from) || at.Add(time.Second).After(until) {
				continue
			}
			received, lost, late = received+second.Received, lost+second.Lost, late+second.Late
		}
	}
	return received, lost, late
}

// setUp is longer than it takes a run to connect its mics, before the first listener arrives. A summary does not say.
const setUp = 3 * time.Second

// steady is a time within the steady state.
func (is played) steady() (from, until time.Time) {
	s := is.Scenario
	from = s.Began.Add(time.Duration(s.ArrivalsS * float64(time.Second)))
	return from.Add(setUp), from.Add(time.Duration(s.SteadyS * float64(time.Second)))
}

// lose has the kernel drop a share of the media packets that come from LiveKit, at random: to earshot and to the
// referee alike. Handshakes pass, so that everybody gets in, and both count of the same people. It returns what says
// how much that was.
func lose(t *testing.T, share float64) (dropped func() string) {
	t.Helper()
	program := ""
	for _, name := range []string{"iptables-legacy", "iptables"} {
		if _, err := exec.LookPath(name); err == nil {
			program = name
			break
		}
	}
	if program == "" {
		t.Skip("iptables is not installed: apt install iptables")
	}
	lock := filepath.Join(t.TempDir(), "lock") // the machine's own is root's
	run := func(words ...string) (string, error) {
		command := exec.Command(program, words...)
		command.Env = append(os.Environ(), "XTABLES_LOCKFILE="+lock)
		out, err := command.CombinedOutput()
		return string(out), err
	}
	// RTP and RTCP begin with their version, 2, in two bits (RFC 7983, section 7).
	link := []string{"INPUT", "-p", "udp", "--sport", "7882", "-m", "u32", "--u32", "0>>22&0x3C@8&0xC0000000=0x80000000"}
	for _, rule := range [][]string{link, append(link, "-m", "statistic", "--mode", "random", "--probability", fmt.Sprint(share), "-j", "DROP")} {
		if out, err := run(append([]string{"-A"}, rule...)...); err != nil {
			t.Skipf("this kernel can't drop at random: %v: %s", err, out)
		}
		t.Cleanup(func() {
			out, err := run(append([]string{"-D"}, rule...)...)
			assert.NoError(t, err, out)
		})
	}
	return func() string {
		out, err := run("-L", "INPUT", "-v", "-x", "-n")
		require.NoError(t, err, out)
		var counts []float64
		for _, line := range strings.Split(out, "\n")[2:] {
			if words := strings.Fields(line); len(words) > 0 {
				n, err := strconv.ParseFloat(words[0], 64)
				require.NoError(t, err, out)
				counts = append(counts, n)
			}
		}
		require.Len(t, counts, 2, out)
		return fmt.Sprintf("%.2f %% of %.0f packets", 100*counts[1]/counts[0], counts[0])
	}
}
