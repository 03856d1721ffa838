//go:build unix

package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A wrongVerdict is a run whose verdict was wrong once.
type wrongVerdict struct {
	// sentence says what happens, and was what the verdict was then.
	sentence, was string
	does          string // the server's fault; "" is earshot's own server
	size          size
	generator     generatorFault
	thresholds    string
	may           []string
	holds         func(*testing.T, *outcome)
}

// wrongVerdicts are the cases of the audit that led to the intervals, smaller and
// shorter than they were found unless runs are to be at full length.
func wrongVerdicts() []wrongVerdict {
	many, short := size{listeners: 30, arrivals: 600 * time.Millisecond, hold: 3 * time.Second, join: 2 * time.Second}, tableSize()
	short.listeners = 20
	if atFullLength() {
		many = size{listeners: 200, arrivals: 2 * time.Second, hold: 22 * time.Second, join: 5 * time.Second}
	}
	patient := short // with the usual deadline
	patient.hold, patient.join = 3*time.Second, 10*time.Second
	const all = "  delivered: [\"rate >= 0.99\"]\n  latency: [\"p(99) < 200ms\"]\n  mos: [\"min > 3\"]\n"
	crosses := func(metrics ...string) func(*testing.T, *outcome) {
		return func(t *testing.T, o *outcome) {
			for _, m := range metrics {
				assert.True(t, o.crossed(m), "%s is not crossed: %v", m, o)
			}
		}
	}
	turn := "serves its listeners in turn, the last 12 ms after the first"
	return []wrongVerdict{
		{"a tenth of many listeners loses a fifth of its packets", "invalid: probes disagree",
			UnfairToFew, many, generatorFault{}, all, []string{fail}, crosses("delivered")},
		{"the server is slow and delivers one packet in eight", "invalid", Overloaded, many, generatorFault{}, all, []string{fail}, crosses("latency")},
		{"many listeners are served in turn, fast enough", "invalid: the probes sit at two places",
			turn, many, generatorFault{}, all, []string{pass}, nil},
		{"many listeners are served in turn, too slowly for the threshold", "invalid: the probes sit at two places",
			turn, many, generatorFault{}, "  latency: [\"p(99) < 5ms\"]\n", []string{fail}, crosses("latency")},
		{"the server connects and forwards nothing, and only latency is asked for", "invalid: no data for latency",
			"connects and forwards nothing", short, generatorFault{}, "  latency: [\"p(99) < 200ms\"]\n", []string{fail}, crosses("latency")},
		{"the server refuses every listener", "invalid", "refuses everybody", short, generatorFault{}, all, []string{fail}, crosses("delivered", "mos", "latency")},
		{"the server is killed in mid-run, and its memory is asked for", "invalid: no data for server_rss",
			"dies in the middle of the hold", short, generatorFault{}, all + "  server_rss: [\"value < 1GB\"]\n", []string{fail}, crosses(Died)},
		{"15 of 20 listeners are refused, and the hold is shorter than the join deadline", "pass: nothing was owed until the deadline",
			"refuses three of four", patient, generatorFault{}, all, []string{fail}, crosses("delivered", "mos")},
		{"15 of 20 listeners are refused, and no threshold asks for it", "pass without a word",
			"refuses three of four", patient, generatorFault{}, "  latency: [\"p(99) < 200ms\"]\n", []string{pass}, func(t *testing.T, o *outcome) {
				// Who was refused before anybody got in tries again, and may get in.
				got := int(o.Metrics["joined"]["passes"].(float64))
				assert.GreaterOrEqual(t, got, 5)
				assert.Contains(t, o.text, fmt.Sprintf("%d of 20 listeners never got in", 20-got))
				assert.Less(t, got, 20)
			}},
		{"the generator is stopped for 190 ms once", "fail: p(99.9), audio_gap, gaps, mos",
			"forwards every packet", short, generatorFaults(short)[1],
			"  joined: [\"rate == 1\"]\n  latency: [\"p(99.9) < 100ms\"]\n  audio_gap: [\"max < 150ms\"]\n  gaps_per_minute: [\"max < 1\"]\n  mos: [\"min > 4.1\"]\n",
			[]string{invalid}, func(t *testing.T, o *outcome) {
				assert.Contains(t, strings.Join(o.Reasons, "\n"), "the generator's process did not run")
				o.assertNothingCrossed(t)
				for _, threshold := range o.Thresholds {
					if threshold.Metric == "joined" {
						assert.NotNil(t, threshold.OK, "the stall could not touch the joins: %v", o)
					}
				}
			}},
		{"the server transcodes, and nothing is asked for", "invalid: does an audio file repeat?",
			"transcodes", short, generatorFault{}, "", []string{fail}, crosses(Foreign)},
		{"the server plays another room's audio, and nothing is asked for", "invalid: does an audio file repeat?",
			Elsewhere, short, generatorFault{}, "", []string{fail}, crosses(Foreign)},
		{"earshot's own server, and the probes' stack has a timer of 200 ms", "join_duration p(99) 205 ms",
			"", many, generatorFault{}, "  joined: [\"rate == 1\"]\n", []string{pass}, func(t *testing.T, o *outcome) {
				assert.EqualValues(t, many.listeners-2, o.Metrics["join_duration"]["count"], "the joins of two probes are left out")
			}},
	}
}

func TestVerdictThatWasWrongOnce(t *testing.T) {
	t.Parallel()
	for _, c := range wrongVerdicts() {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			work := int64(1)
			if c.size.listeners >= 100 {
				work = sideBySide / 2 // two such runs at a time leave no small machine a core
			}
			o := playSharing(t, c.may, work, func() *outcome {
				scenario := c.size.scenario(t, c.thresholds)
				if c.does == "" {
					return generate(t, nil, c.generator, scenario)
				}
				return generate(t, serve(t, Fault{Does: c.does}, c.size), c.generator, scenario)
			})
			assert.Contains(t, c.may, o.Verdict, "it was: %s\n%v", c.was, o)
			if c.holds != nil {
				c.holds(t, o)
			}
		})
	}
}

// A server that is slow since it computes much takes the cores from the generator. That
// is no excuse for it: see run.deprived in loadgen. Of its packets every second is 13 ms
// late and more, even if the machine does nothing else. It leaves so little of the cores that
// anybody else takes them from it, which is an excuse: so it plays again if the run says so.
func TestBusyServerIsNotExcused(t *testing.T) {
	s := tableSize()
	o := playUntilDecided(t, []string{fail}, func() *outcome {
		return generate(t, serve(t, Fault{Does: Busy}, s), generatorFault{}, s.scenario(t, "  latency: [\"p(50) < 5ms\"]\n"))
	})
	assert.Equal(t, fail, o.Verdict, "%v", o)
}

// A generator that drops a few packets is no excuse for a server that loses many: all listeners
// together have lost no more by it than were dropped. Others who take the server's cores meanwhile
// are one, so it plays alone, and says nothing on a machine that is never quiet.
func TestLossyServerIsNotExcusedByAFewDrops(t *testing.T) {
	s := tableSize()
	s.listeners = 30
	generator := generatorFault{environment: []string{receiveBuffer + "=16384"}, strike: func(g *generator) error {
		if g.in("steady", s.hold/2) {
			g.stop(240 * time.Millisecond)
		}
		return nil
	}}
	for range tries {
		var o *outcome
		share(t, sideBySide, func() {
			o = generate(t, serve(t, Fault{Does: "loses a fifth of all packets"}, s), generator, s.scenario(t, "  loss: [\"max < 1\"]\n"))
		})
		t.Log(o.Verdict, o.Doubts)
		if o.Verdict == invalid && (o.Doubts["contended_s"] > 0 || o.Doubts["stolen_ms"] > 0) {
			continue
		}
		assert.Equal(t, fail, o.Verdict, "%v", o)
		assert.Positive(t, o.Doubts["drops"], "%v", o)
		assert.True(t, o.crossed("loss"), "%v", o)
		return
	}
	t.Skip("others took the machine's cores each time")
}

func TestCapacityAgainstAFaultyServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sentence, was, does, until string
		says, never                string
	}{
		{"a server that refuses three of four passes nothing, as joined is implied", "all of it passes, at joined 25 %",
			"refuses three of four", "latency: p(99) < 200ms", "joined: rate >= 0.99, and is", "all loads pass"},
		{"a slow server is the server's limit", "the generator, not the server",
			Overloaded, "latency: p(99) < 200ms", "latency: p(99) < 200ms, and is", "the generator, not the server"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			program, err := earshot()
			require.NoError(t, err)
			s := tableSize()
			s.listeners, s.hold = 8, 1500*time.Millisecond
			summary := filepath.Join(t.TempDir(), "capacity.json")
			var result struct{ Verdict string }
			var text []byte
			for range tries {
				server := serve(t, Fault{Does: c.does}, s)
				args := append([]string{"capacity", s.scenario(t, tableThresholds), "--from", "4", "--to", "8", "--until", c.until, "-q", "--summary", summary}, against(server)...)
				share(t, 2, func() { text, err = exec.Command(program, args...).CombinedOutput() })
				require.Error(t, err, "it does not exit with 0")
				data, err := os.ReadFile(summary)
				require.NoError(t, err, "%s", text)
				require.NoError(t, json.Unmarshal(data, &result))
				if result.Verdict != invalid {
					break
				}
				t.Logf("the machine was too busy:\n%s", text)
			}
			assert.Equal(t, fail, result.Verdict, "it was: %s\n%s", c.was, text)
			assert.Contains(t, string(text), c.says)
			assert.NotContains(t, string(text), c.never)
		})
	}
}

// playUntilDecided plays a run, and again beside fewer others if it says that the machine was
// too busy for a verdict that it may have.
func playUntilDecided(t *testing.T, may []string, play func() *outcome) *outcome {
	t.Helper()
	return playSharing(t, may, 1, play)
}

// playSharing is playUntilDecided for runs that compute so many times as much as one that
// only counts packets: fewer of them are played at the same time.
func playSharing(t *testing.T, may []string, work int64, play func() *outcome) *outcome {
	t.Helper()
	places := 2 * work
	if slices.Contains(may, invalid) {
		places = work
	}
	return playUntil(t, places, func(o *outcome) bool { return o.Verdict != invalid || slices.Contains(may, invalid) }, play)
}

// playUntil plays a run in so many places, and if it does not say enough, and says that the
// machine was too busy, again beside fewer others and at last alone. Where others had the cores each
// time, it skips the test: a verdict that is wrong is none of those.
func playUntil(t *testing.T, places int64, says func(*outcome) bool, play func() *outcome) (o *outcome) {
	t.Helper()
	for range tries {
		share(t, places, func() { o = play() })
		if says(o) || !o.busy() {
			return o
		}
		t.Log("the machine was too busy:", o.Reasons)
		places = morePlaces(places)
	}
	if o.Verdict == invalid && o.taken() {
		t.Skip("others took the machine's cores in every run: nothing can be said on it now")
	}
	return o
}

// A quota that the generator and the server share is not the server's doing.
func TestQuotaSharedWithTheServer(t *testing.T) {
	s := tableSize()
	for _, c := range []struct {
		does string
		may  []string
	}{
		{"forwards every packet", []string{pass, invalid}},
		{"loses a fifth of all packets", []string{fail, invalid}},
	} {
		t.Run("a server that "+c.does, func(t *testing.T) {
			server := serve(t, Fault{Does: c.does}, s)
			shared := false
			share(t, sideBySide, func() {
				o := generate(t, server, generatorFault{strike: func(g *generator) (err error) {
					shared, err = throttleBoth(g, server.PID())
					return err
				}}, s.scenario(t, tableThresholds))
				if !shared {
					t.Skip("no control group can be made")
				}
				t.Log(o.Verdict, o.Reasons, o.Doubts)
				assert.Contains(t, c.may, o.Verdict, "%v", o)
				assert.True(t, o.hasOneOf(leftByThrottling()), "%v", o)
			})
		})
	}
}

// throttleBoth has a generator and a server share a quota until the end of the hold, and
// reports whether it could.
func throttleBoth(g *generator, server int) (bool, error) {
	if !g.in("arrivals", 0) {
		return false, nil
	}
	group, err := controlGroup(fmt.Sprint("earshot-faults-", g.process.Pid), 2, quotaPeriod)
	if err != nil {
		return false, nil
	}
	defer func() {
		<-g.exited
		_ = os.Remove(group) // an empty group costs nothing
	}()
	both := func(group string) error {
		return errors.Join(join(group, g.process.Pid), join(group, server))
	}
	err = both(group)
	g.until("settling")
	return err == nil, errors.Join(err, both(filepath.Dir(group)))
}

// A generator that computes on all cores of the machine is in the server's way, although it leaves some of
// their time.
func TestNoLatencyOfASoundServerIsBlamedForCoresThatTheGeneratorHas(t *testing.T) {
	t.Parallel()
	s := tableSize()
	s.hold = max(s.hold, 4*time.Second)
	scenario := s.scenario(t, `
  latency: ["p(99) < 4ms", "max < 5ms", "p(99) < 4ms over 1s"]
  latency_listener: ["max < 5ms"]
  jitter: ["max < 1ms"]
  audio_gap: ["max < 30ms"]
  rtt: ["max < 4ms"]
`)
	// Less than a third as many leave no trace on a quiet machine.
	generator := generatorFault{environment: []string{computing + "=30"}}
	share(t, sideBySide, func() {
		o := generate(t, serve(t, Fault{Does: Reports}, s), generator, scenario)
		t.Log(o.Verdict, o.Reasons, o.Doubts)
		o.assertNothingCrossed(t)
	})
}
