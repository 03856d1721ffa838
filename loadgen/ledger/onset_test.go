package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func TestDoubtTheStartOfATurn(t *testing.T) {
	for _, c := range []struct {
		sentence    string
		strike      func(*scene, *Source)
		refused     bool
		worst, best float64
	}{
		{"missed by the server's doing", func(*scene, *Source) {}, false, 60, 60},
		{"perhaps dropped by the generator", func(s *scene, _ *Source) { s.aggregator.Drop(1, time.Second, 2*time.Second) }, false, 60, 0},
		{"dropped later, as it may have been of a slow server", func(s *scene, _ *Source) { s.aggregator.Drop(1, 5*time.Second, 6*time.Second) }, false, 60, 0},
		{"dropped later than it can have been", func(s *scene, _ *Source) { s.aggregator.Drop(100, 7*time.Second, 7500*time.Millisecond) }, false, 60, 60},
		{"of which the second frame went out late", func(_ *scene, m *Source) { m.Sent(61, 50*time.Millisecond) }, false, 60, 20},
		{"of which it went out a little late", func(_ *scene, m *Source) { m.Sent(61, 15*time.Millisecond) }, false, 60, 60},
		{"while others had the server's cores", func(s *scene, _ *Source) { s.aggregator.Deprive(time.Second, 2*time.Second, doubt.DeprivedLoss) }, false, 60, 0},
		{"by somebody whom the server refused", func(s *scene, _ *Source) { s.aggregator.Drop(1, time.Second, 2*time.Second) }, true, 100, 100},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := newScene(t)
			m := s.source(speechClip(700), 0, 0)
			l := s.ledger.AddListener(1, record.Labels{})
			l.Expect(0, 0, time.Second)
			if c.refused {
				l.Refused(0)
			} else {
				l.Connected(0)
			}
			s.steady(0)
			for b := timebase.Bin(60); b < 400; b++ {
				p := s.say(m, b)
				if b == 61 {
					c.strike(s, m)
				}
				if b >= 63 && !c.refused {
					l.Receive(p)
				}
				if b%50 == 49 {
					s.settle((b + 1).Start())
				}
			}
			totals := s.finish()
			assert.InDelta(t, c.worst, trend(t, totals, "onset_clip").Max, 0.1)
			assert.InDelta(t, c.best, bestOf(totals, "onset_clip").Max, 0.1)
		})
	}
}
