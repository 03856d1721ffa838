package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func at(ms int) time.Duration { return time.Duration(ms) * time.Millisecond }

// step is what the only listener of a scene has of a step, in ms; false if nothing.
func step(t *testing.T, values metric.Values, name string) (float64, bool) {
	v, ok := values["join_step{step:"+name+"}"].(*metric.Trend)
	if !ok {
		return 0, false
	}
	require.EqualValues(t, 1, v.Count())
	return v.Summary().Max, true
}

func TestJoinSteps(t *testing.T) {
	connect := func(l *Listener) {
		l.StepBegan(record.StepSignaling, at(0))
		l.StepBegan(record.StepTCP, at(1))
		l.StepEnded(record.StepTCP, at(3))
		l.StepEnded(record.StepSignaling, at(10))
		l.StepBegan(record.StepICE, at(10))
		l.StepEnded(record.StepICE, at(30))
		l.StepBegan(record.StepDTLS, at(30))
		l.StepEnded(record.StepDTLS, at(35))
	}
	hear := func(s *scene, l *Listener, m *Source) {
		for b := range timebase.Bin(100) {
			p := s.say(m, b)
			if b >= 3 {
				l.Receive(p)
			}
		}
	}
	for _, c := range []struct {
		name string
		play func(s *scene, l *Listener, m *Source)
		want map[string]float64 // at worst
		best map[string]float64 // where it differs
	}{
		{"a join that works", func(s *scene, l *Listener, m *Source) { connect(l); hear(s, l, m) },
			map[string]float64{"tcp": 2, "signaling": 8, "ice": 20, "dtls": 5, "first_packet": 30, "first_audio": 0}, nil},
		{"a connection that another client opened", func(s *scene, l *Listener, m *Source) {
			connect(l)
			l.ConnectionShared()
			hear(s, l, m)
		}, map[string]float64{"signaling": 10, "ice": 20, "dtls": 5, "first_packet": 30, "first_audio": 0}, nil},
		{"one that failed in ICE took at least as long as it had", func(s *scene, l *Listener, m *Source) {
			l.StepBegan(record.StepSignaling, at(0))
			l.StepEnded(record.StepSignaling, at(10))
			l.StepBegan(record.StepICE, at(10))
			for b := range timebase.Bin(600) {
				s.say(m, b)
			}
		}, map[string]float64{"signaling": 10, "ice": 9990}, nil},
		{"one that was refused at once, too", func(s *scene, _ *Listener, m *Source) {
			for b := range timebase.Bin(600) {
				s.say(m, b)
			}
		}, map[string]float64{"signaling": 10_000}, nil},
		{"a server that subscribes late", func(s *scene, l *Listener, m *Source) {
			connect(l)
			l.StepBegan(record.StepSubscription, at(10))
			l.StepEnded(record.StepSubscription, at(50))
			hear(s, l, m)
		}, map[string]float64{"tcp": 2, "signaling": 8, "ice": 20, "dtls": 5, "subscription": 15, "first_packet": 15, "first_audio": 0}, nil},
		{"one that had subscribed before the handshake was over", func(s *scene, l *Listener, m *Source) {
			connect(l)
			l.StepBegan(record.StepSubscription, at(10))
			l.StepEnded(record.StepSubscription, at(11))
			hear(s, l, m)
		}, map[string]float64{"tcp": 2, "signaling": 8, "ice": 20, "dtls": 5, "subscription": 0, "first_packet": 30, "first_audio": 0}, nil},
		{"one that subscribes to a part of the voices took at least as long as it had", func(s *scene, l *Listener, m *Source) {
			connect(l)
			l.StepBegan(record.StepSubscription, at(10))
			hear(s, l, m)
			for b := timebase.Bin(100); b < 600; b++ {
				s.say(m, b)
			}
		}, map[string]float64{"tcp": 2, "signaling": 8, "ice": 20, "dtls": 5, "subscription": 9965}, nil},
		{"one that never does, too", func(s *scene, l *Listener, m *Source) {
			connect(l)
			l.StepBegan(record.StepSubscription, at(10))
			for b := range timebase.Bin(600) {
				s.say(m, b)
			}
		}, map[string]float64{"tcp": 2, "signaling": 8, "ice": 20, "dtls": 5, "subscription": 9965}, nil},
		{"no address was found", func(s *scene, l *Listener, m *Source) {
			l.StepBegan(record.StepDNS, at(2))
			for b := range timebase.Bin(600) {
				s.say(m, b)
			}
		}, map[string]float64{"dns": 9998}, nil},
		{"packets that nobody sent are no audio", func(s *scene, l *Listener, m *Source) {
			connect(l)
			for b := range timebase.Bin(600) {
				p := s.say(m, b)
				p.Payload = []byte("noise")
				l.Receive(p)
			}
		}, map[string]float64{"tcp": 2, "signaling": 8, "ice": 20, "dtls": 5, "first_packet": 0, "first_audio": 9995}, nil},
		{"the generator did not run during ICE", func(s *scene, l *Listener, m *Source) {
			connect(l)
			s.aggregator.Doubt(doubt.Stalled, at(12), at(29))
			hear(s, l, m)
		}, map[string]float64{"tcp": 2, "signaling": 8, "ice": 20, "dtls": 5, "first_packet": 30, "first_audio": 0}, map[string]float64{"ice": 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			m, l := s.source(speechClip(1000), 0, 0), s.listener(1)
			l.StepBegan(record.StepSignaling, at(0))
			c.play(s, l, m)
			totals := s.finish()
			slowest := 0.0
			for _, name := range metric.JoinSteps {
				want, ok := c.want[name]
				got, has := step(t, totals.Values, name)
				assert.Equal(t, ok, has, name)
				assert.InDelta(t, want, got, 0.01, name)
				slowest = max(slowest, want)
				if best, doubted := c.best[name]; doubted {
					got, has = step(t, totals.Best, name)
					assert.True(t, has)
					assert.InDelta(t, best, got, 0.01, name)
				}
			}
			assert.InDelta(t, slowest, trend(t, totals, "join_step").Max, 0.01, "without a step it is the slowest")
		})
	}
}

func TestStepsHaveTheNamesOfTheCatalogue(t *testing.T) {
	require.Len(t, metric.JoinSteps, int(record.JoinSteps))
	for s, name := range map[record.Step]string{record.StepDNS: "dns", record.StepSignaling: "signaling", record.StepICE: "ice", record.StepFirstAudio: "first_audio"} {
		assert.Equal(t, name, s.String())
	}
}
