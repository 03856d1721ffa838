//go:build unix

package faults

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestServersThatDoNotTakeSpeakers plays rooms with a speaker and listeners each against servers that
// take some speakers, or none, as the rooms open: the run comes to a verdict, with a summary.
func TestServersThatDoNotTakeSpeakers(t *testing.T) {
	s := size{listeners: 12, join: 3 * time.Second, hold: 2 * time.Second}
	const held = "  delivered: [\"rate >= 0.9\"]\n"
	for _, c := range []struct {
		server     string
		thresholds string
		may        []string
		crosses    string
		says       string
	}{
		{"takes every publisher", held, []string{pass}, "", ""},
		{"refuses a publisher of three", held, []string{fail}, "", "did not take the mics of 2 of 6 speakers"},
		{"refuses a publisher of three", held + "  published: [\"rate == 1\"]\n", []string{fail}, "published", ""},
		{"refuses a publisher of three", held + "  joined: [\"rate == 1\"]\n", []string{fail}, "joined", ""},
		{"refuses a publisher of three", held + "  published: [\"rate > 0.5\"]\n", []string{pass}, "", ""},
		{"refuses every publisher", held, []string{fail}, "", "did not take the mics of 6 of 6 speakers"},
		// A busy machine may be the reason.
		{"never answers a publisher", held + "  joined: [\"rate == 1\"]\n  published: [\"rate == 1\"]\n", []string{fail, invalid}, "published", ""},
	} {
		t.Run(c.server+" with "+strings.Join(strings.Fields(c.thresholds), " "), func(t *testing.T) {
			t.Parallel()
			scenario := writeScenario(t, `
name: rooms of a speaker each
rooms: 6
room: {capacity: 2, slots: 1}
cast:
  - {role: speaker, count: 1, audio: speech.ogg}
  - {role: listener, count: 2, arrive: {within: 500ms, shape: linear}}
join_deadline: %v
hold: %v
thresholds:
%s`, s.join, s.hold, c.thresholds)
			all := Publishing(Run{Listeners: s.listeners, Middle: s.middle()})
			server := all[slices.IndexFunc(all, func(f Fault) bool { return f.Does == c.server })]
			o := playUntilDecided(t, c.may, func() *outcome { return generate(t, serve(t, server, s), generatorFault{}, scenario) })
			assert.Contains(t, c.may, o.Verdict, "%v", o)
			if c.crosses != "" && o.Verdict == fail {
				assert.True(t, o.crossed(c.crosses), "%v", o)
			}
			assert.Contains(t, strings.Join(o.Reasons, "\n"), c.says)
		})
	}
}

// TestStoppedGeneratorIsNoFaultOfTheServersWhileRoomsOpen stops a generator while its mics wait for the server's answer, until their
// time is over: nothing is known of the server then, nor of why nobody hears anything.
func TestStoppedGeneratorIsNoFaultOfTheServersWhileRoomsOpen(t *testing.T) {
	s := size{listeners: 2, join: 4 * time.Second, hold: time.Second}
	scenario := writeScenario(t, `
name: a speaker who waits for an answer
room: {capacity: 2, slots: 1}
cast:
  - {role: speaker, count: 1, audio: speech.ogg}
  - {role: listener, count: 2}
join_deadline: %v
hold: %v
thresholds:
  published: ["rate == 1"]
  joined: ["rate == 1"]
  publish_duration: ["max < 3s"]
  join_duration: ["max < 3s"]
`, s.join, s.hold)
	all := Publishing(Run{Listeners: s.listeners, Middle: s.middle()})
	server := all[slices.IndexFunc(all, func(f Fault) bool { return f.Does == "never answers a publisher" })]
	stopped := generatorFault{sentence: "is stopped while rooms open", strike: func(g *generator) error {
		if g.sleep(time.Second) { // it has begun, and waits
			g.stop(s.join)
		}
		return nil
	}}
	o := playUntilDecided(t, []string{invalid}, func() *outcome { return generate(t, serve(t, server, s), stopped, scenario) })
	assert.Equal(t, invalid, o.Verdict, "%v", o)
	o.assertNothingCrossed(t)
	assert.NotZero(t, o.Doubts["stalls"])
}
