package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

func threshold(t *testing.T, name, expression string) metric.Threshold {
	th, err := metric.ParseThreshold(name, expression)
	require.NoError(t, err)
	return th
}

// answers plays two minutes, of which the middle minute is steady: 10 s of it
// are lost by the listeners of one network, from its 30th second on, and the
// next 10 s are slow for all. It begins between two seconds.
func answers(t *testing.T, thresholds []metric.Threshold) metric.Values {
	s := newScene(t)
	s.aggregator.Follow(thresholds)
	m := s.source(speechClip(1500), 0, 0)
	good := s.ledger.AddListener(1, record.Labels{})
	poor := s.ledger.AddListener(1, record.Labels{Network: "3g"})
	stage := s.ledger.AddListener(1, record.Labels{Role: "speaker"})
	for _, l := range []*Listener{good, poor, stage} {
		l.Expect(0, 0, 0+10*time.Second)
		l.Connected(0)
	}
	require.NoError(t, s.aggregator.Begin(record.Arrivals, 0))
	const start = timebase.Bin(3020) // 60.4 s
	for b := range timebase.Bin(6020) {
		switch b {
		case start:
			require.NoError(t, s.aggregator.Begin(record.Steady, b.Start()))
			require.NoError(t, s.aggregator.Span("storm", (b+1500).Start(), (b+2000).Start()))
		}
		p := s.say(m, b)
		lost := b >= start+1500 && b < start+2000
		if b >= start+2000 && b < start+2500 {
			p.At += 95 * time.Millisecond
		}
		good.Receive(p)
		if !lost {
			poor.Receive(p)
		}
		if b%2 == 0 {
			stage.Receive(p)
		}
		if b%50 == 0 {
			s.settle(b.Start())
			cpu := 0.5
			if lost {
				cpu = 0.9
			}
			s.aggregator.Load(record.Load{From: (b - 50).Start(), Until: b.Start(), ServerCPU: &cpu, ServerRSS: 1 << 20})
		}
	}
	values := s.finish().Values
	s.aggregator.Answer(values, metric.Values{}, thresholds)
	return values
}

func TestAggregatorAnswersPartsAndWindows(t *testing.T) {
	cases := []struct {
		name, metric, expression string
		ok                       any // nil: no data
		value                    float64
		from, until              time.Duration
	}{
		{"all of it", "delivered", "rate >= 0.95", true, 0.9584, 0, 0},
		{"a dead ten seconds do not hide in it", "delivered", "rate >= 0.95 over 10s", false, 0.5, 90400 * time.Millisecond, 100400 * time.Millisecond},
		{"of one network they are all there is", "delivered{network:3g}", "rate >= 0.95 over 9s", false, 0, 91 * time.Second, 100 * time.Second},
		{"in the phase before there are none", "delivered{phase:arrivals}", "rate == 1 over 10s", true, 1, 0, 10 * time.Second},
		{"the measured window alone", "delivered{phase:steady}", "rate < 0.92", true, 0.9167, 0, 0},
		{"a span that has a name", "delivered{phase:storm}", "rate == 0.5", true, 0.5, 0, 0},
		{"a span and a network", "delivered{network:3g,phase:storm}", "rate == 0", true, 0, 0, 0},
		{"those on stage", "delivered{role:speaker}", "rate < 0.6", true, 0.5, 0, 0},
		{"a window is as long as it can be", "delivered{phase:storm}", "rate == 0.5 over 10s", true, 0.5, 90400 * time.Millisecond, 100400 * time.Millisecond},
		{"a window longer than the span", "delivered{phase:storm}", "rate == 0.5 over 11s", nil, 0, 0, 0},
		{"a phase that has not been", "delivered{phase:departures}", "rate == 1", nil, 0, 0, 0},
		{"a network that nobody has", "delivered{network:4g}", "rate == 1", nil, 0, 0, 0},
		{"the slowest window", "latency", "max < 20ms over 5s", false, 100, 96 * time.Second, 101 * time.Second},
		{"a window in which nothing came", "latency{network:3g}", "max < 200ms over 5s", false, -1, 0, 0},
		{"the slow do not hide in a percentile", "latency", "p(50) < 20ms over 10s", false, 100, 94 * time.Second, 104 * time.Second},
		{"though they do in the whole", "latency", "p(50) < 20ms", true, 5, 0, 0},
		{"the latency of a phase", "latency{phase:arrivals}", "max < 6ms", true, 5, 0, 0},
		{"the server in its worst ten seconds", "server_cpu", "value < 0.8 over 10s", false, 0.9, 90 * time.Second, 100 * time.Second},
		{"the server in a phase", "server_cpu{phase:arrivals}", "value == 0.5", true, 0.5, 0, 0},
		{"its memory", "server_rss{phase:steady}", "value == 1MiB", true, 1 << 20, 0, 0},
		{"a gap of those on one network", "audio_gap{network:3g}", "max > 10s", true, 10_020, 0, 0},
		{"who joined of them", "joined{network:3g}", "count == 1", true, 1, 0, 0},
	}
	var thresholds []metric.Threshold
	for _, c := range cases {
		thresholds = append(thresholds, threshold(t, c.metric, c.expression))
	}
	values := answers(t, thresholds)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := thresholds[i].Evaluate(values)
			if c.ok == nil {
				assert.Nil(t, got.OK)
				assert.NotEmpty(t, got.Reason)
				return
			}
			require.NotNil(t, got.OK, got.Reason)
			assert.Equal(t, c.ok, *got.OK)
			if c.value < 0 {
				assert.Nil(t, got.Value)
				assert.Contains(t, got.Reason, "nothing came from")
				return
			}
			assert.InDelta(t, c.value, *got.Value, 0.0001+0.011*c.value)
			if c.until > 0 {
				assert.Equal(t, c.until, got.Until)
				assert.Equal(t, c.from, got.From)
			}
		})
	}
}
