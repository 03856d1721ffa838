package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// speechClip is a clip whose n frames all differ.
func speechClip(n int) *speech.Clip {
	c := &speech.Clip{Name: "speech"}
	for i := range n {
		c.Frames = append(c.Frames, speech.Frame{Payload: fmt.Appendf(nil, "frame %d", i)})
	}
	return c
}

// withSilence makes the frames in [from, until) of a clip alike.
func withSilence(c *speech.Clip, from, until int) *speech.Clip {
	for i := from; i < until; i++ {
		c.Frames[i].Payload = []byte{0xf8, 0xff, 0xfe}
	}
	return c
}

// A scene is a room of the ledger without a network: what is sent reaches whom
// the test says, after as long as the test says.
type scene struct {
	t          *testing.T
	aggregator *record.Aggregator
	book       *Book
	ledger     *Ledger
	end        timebase.Bin
}

func newScene(t *testing.T) *scene {
	aggregator := record.NewAggregator()
	book := NewBook(aggregator)
	return &scene{t: t, aggregator: aggregator, book: book, ledger: book.NewLedger()}
}

func (s *scene) source(c *speech.Clip, first int, offset time.Duration) *Source {
	m, err := s.ledger.AddSource(c, first, offset)
	require.NoError(s.t, err)
	return m
}

// listener is one that joined at 0 and counts from bin 0.
func (s *scene) listener(sections int) *Listener {
	l := s.ledger.AddListener(sections, record.Labels{})
	l.Expect(0, 0, 0+10*time.Second)
	l.Connected(0)
	s.steady(0)
	return l
}

// steady begins the measured window, once.
func (s *scene) steady(t time.Duration) {
	if from, _ := s.aggregator.MeasuredWindow(); from == timebase.Never {
		require.NoError(s.t, s.aggregator.Begin(record.Steady, t))
	}
}

// settle does what a run does once a second.
func (s *scene) settle(now time.Duration) { s.aggregator.Drain(now, s.ledger.Settle(now)) }

// say enters the frame of bin b and returns its packet, as a section carries
// it 5 ms later.
func (s *scene) say(m *Source, b timebase.Bin) Packet {
	m.Sending(b, 0)
	m.Sent(b, 0)
	s.end = max(s.end, b+1)
	return s.packet(m, b)
}

// packet is that of a source's bin, 5 ms after it was to be sent.
func (s *scene) packet(m *Source, b timebase.Bin) Packet {
	return Packet{
		Sequence: uint16(b), Timestamp: uint32(b) * SamplesPerBin, Talker: 7,
		Payload: m.Frame(b).Payload, At: m.Intended(b) + 5*time.Millisecond,
	}
}

// finish closes the run after the last bin.
func (s *scene) finish() record.Totals {
	s.ledger.Stop(s.end.Start())
	s.aggregator.Stop(s.end.Start())
	s.ledger.Finish(s.end.Start() + time.Second)
	s.aggregator.Finish(s.end.Start() + time.Second)
	return s.aggregator.Totals()
}

// value is a figure of the run, which may have a selector.
func (s *scene) value(name string) metric.Value {
	th := metric.Threshold{}
	for _, expression := range []string{"rate >= 0", "max >= 0ms"} {
		if parsed, err := metric.ParseThreshold(name, expression); err == nil {
			th = parsed
		}
	}
	require.NotEmpty(s.t, th.Metric, "%s is a metric", name)
	totals := s.aggregator.Totals()
	s.aggregator.Answer(totals.Values, totals.Best, []metric.Threshold{th})
	return totals.Values[th.Metric]
}

// asks follows thresholds, each a metric and an expression.
func (s *scene) asks(rows ...[2]string) (all []metric.Threshold) {
	for _, row := range rows {
		th, err := metric.ParseThreshold(row[0], row[1])
		require.NoError(s.t, err)
		all = append(all, th)
	}
	s.aggregator.Follow(all)
	return all
}

// failsOr ends the run, and asserts that the thresholds are crossed, or else that all are undecided.
func (s *scene) failsOr(undecided bool, thresholds []metric.Threshold) {
	s.judged(s.finish(), undecided, thresholds)
}

// judged asserts that of a run's thresholds: they are crossed, or else all are undecided.
func (s *scene) judged(totals record.Totals, undecided bool, thresholds []metric.Threshold) {
	s.aggregator.Answer(totals.Values, totals.Best, thresholds)
	for _, th := range thresholds {
		r := th.EvaluateBetween(totals.Values, totals.Best)
		require.NotNil(s.t, r.Value, "%s", th)
		best := *r.Value
		if r.Best != nil {
			best = *r.Best
		}
		assert.Equal(s.t, undecided, r.Undecided, "%s: from %v to %v", th, *r.Value, best)
		assert.False(s.t, r.OK != nil && *r.OK, "%s: from %v to %v", th, *r.Value, best)
	}
}

func rate(t *testing.T, totals record.Totals, name string) metric.Rate {
	r, ok := totals.Values[name].(metric.Rate)
	require.True(t, ok, "no rate %s", name)
	return r
}

func trend(t *testing.T, totals record.Totals, name string) metric.Summary {
	r, ok := totals.Values[name].(*metric.Trend)
	require.True(t, ok, "no trend %s", name)
	return r.Summary()
}
