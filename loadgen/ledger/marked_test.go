package ledger

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testaudio"
	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/mark"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// markedSpeech is a code, and speech with that mark. To make it takes longer than to play a scene.
var markedSpeech = sync.OnceValues(func() (marked, error) {
	clip, err := speech.Load(filepath.Join(testaudio.Dir(), "speech.ogg"))
	if err != nil {
		return marked{}, err
	}
	code := mark.NewCode(7)
	clip, err = code.Mark(clip, 0)
	return marked{code, clip}, err
})

type marked struct {
	code *mark.Code
	clip *speech.Clip
}

// markedScene is a room whose one source's audio is marked.
func markedScene(t *testing.T) (*scene, *Source) {
	t.Helper()
	aggregator := record.NewAggregator()
	book := NewBook(aggregator)
	s := &scene{t: t, aggregator: aggregator, book: book, ledger: book.NewMarkedLedger()}
	speech, err := markedSpeech()
	require.NoError(t, err)
	m, err := s.ledger.AddMarkedSource(speech.clip, speech.code, 3*time.Millisecond)
	require.NoError(t, err)
	return s, m
}

func TestMarkedAudioIsRecognisedWhateverThePacketsSay(t *testing.T) {
	other := testaudio.Clip(t, "guest.ogg")
	for _, c := range []struct {
		sentence string
		// change makes of a packet of 20 ms what comes, and says how much later.
		change  func(b timebase.Bin, p *Packet) (come bool, late time.Duration)
		share   float64 // delivered
		latency float64 // p(50), in ms
		foreign bool
	}{
		{"all of it came", func(timebase.Bin, *Packet) (bool, time.Duration) { return true, 0 }, 1, 5, false},
		{"it came late", func(timebase.Bin, *Packet) (bool, time.Duration) { return true, 500 * time.Millisecond }, 1, 505, false},
		{"a tenth did not come", func(b timebase.Bin, _ *Packet) (bool, time.Duration) { return b%10 != 9, 0 }, 0.9, 5, false},
		{"pairs of packets came in the wrong order", func(b timebase.Bin, _ *Packet) (bool, time.Duration) {
			return true, time.Duration(1-b%2) * 25 * time.Millisecond
		}, 1, 5, false},
		{"it is what nobody said", func(b timebase.Bin, p *Packet) (bool, time.Duration) {
			p.Payload = other.Frames[int(b)%len(other.Frames)].Payload
			return true, 0
		}, 0, 0, true},
		{"it is silent", func(_ timebase.Bin, p *Packet) (bool, time.Duration) {
			p.Payload = []byte{0xf8, 0xff, 0xfe}
			return true, 0
		}, 0, 0, false},
		{"it is no Opus", func(_ timebase.Bin, p *Packet) (bool, time.Duration) {
			p.Payload = []byte{3}
			return true, 0
		}, 0, 0, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			totals := playMarked(t, func(*scene) {}, c.change)
			assert.InDelta(t, c.share, rate(t, totals, "delivered").Share(), 0.015)
			if c.share > 0 {
				assert.InDelta(t, c.latency, trend(t, totals, "latency").Med, 26)
			}
			assert.Equal(t, c.foreign, totals.Foreign > 150, "%d", totals.Foreign)
			if !c.foreign {
				assert.Zero(t, totals.Foreign)
			}
		})
	}
}

// A generator that stops, or sends late, gives a server pieces of sound to mix. What of the mix
// has no mark is in doubt then, and not what nobody sent.
func TestMarkedAudioWithoutAMarkIsInDoubtWhereTheGeneratorIsAtFault(t *testing.T) {
	other := testaudio.Clip(t, "guest.ogg")
	unmarked := func(b timebase.Bin, p *Packet) (bool, time.Duration) {
		if b >= 150 && b < 250 {
			p.Payload = other.Frames[int(b)%len(other.Frames)].Payload
		}
		return true, 0
	}
	for _, c := range []struct {
		sentence string
		strike   func(*scene)
		foreign  bool
	}{
		{"the generator is sound", func(*scene) {}, true},
		{"it was a little late", func(s *scene) {
			s.aggregator.Delayed(s.ledger.id, s.ledger.list()[0].voice(), 3*time.Second, 0, 50*time.Millisecond)
		}, true},
		{"it was stopped", func(s *scene) { s.aggregator.Doubt(doubt.Stalled, 2*time.Second, 3*time.Second) }, false},
		{"it was stopped afterwards", func(s *scene) { s.aggregator.Doubt(doubt.Stalled, 6*time.Second, 7*time.Second) }, true},
		{"it dropped packets", func(s *scene) { s.aggregator.Drop(1, 3*time.Second, 4*time.Second) }, false},
		{"it sent a frame very late", func(s *scene) {
			s.aggregator.Delayed(s.ledger.id, s.ledger.list()[0].voice(), 3*time.Second, 0, 200*time.Millisecond)
		}, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var thresholds []metric.Threshold
			var in *scene
			totals := playMarked(t, func(s *scene) {
				in, thresholds = s, s.asks([2]string{"delivered", "rate > 0.9"}, [2]string{"delivered", "rate > 0.9 over 4s"},
					[2]string{"mos", "min > 3.5"}, [2]string{"mos", "min > 3.5 over 4s"})
				c.strike(s)
			}, unmarked)
			if c.foreign {
				assert.Greater(t, totals.Foreign, uint64(40))
				if best, ok := totals.Best["delivered"].(metric.Rate); ok {
					assert.Less(t, best.Share(), 0.9)
				}
				return
			}
			in.judged(totals, true, thresholds)
			assert.InDelta(t, 1, bestRate(t, totals, "delivered"), 0.001, "what was mixed in between may have been theirs")
			assert.Zero(t, totals.Foreign)
			assert.Greater(t, rate(t, totals, "unrecognised").Passes, uint64(40))
			assert.Zero(t, bestRate(t, totals, "unrecognised"))
		})
	}
}

// A server that sends nothing any more has mixed nothing of what a generator sent late.
func TestMarkedAudioThatEndsIsLostThoughTheGeneratorWasAtFault(t *testing.T) {
	for _, c := range []struct {
		sentence string
		comes    func(b timebase.Bin) bool
		lost     bool
	}{
		{"nothing comes any more", func(b timebase.Bin) bool { return b < 200 }, true},
		{"nothing comes for a while", func(b timebase.Bin) bool { return b < 200 || b >= 260 }, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			totals := playMarked(t, func(s *scene) { s.aggregator.Doubt(doubt.Stalled, 3*time.Second, 4*time.Second) },
				func(b timebase.Bin, _ *Packet) (bool, time.Duration) { return c.comes(b), 0 })
			best := bestRate(t, totals, "delivered")
			if c.lost {
				assert.Less(t, best, 0.85)
				return
			}
			assert.InDelta(t, 1, best, 0.001)
		})
	}
}

// What is sent late, and then at once, stays in the buffer of a server that mixes: all that comes after it
// is later for that.
func TestMarkedAudioIsLaterAfterTheGeneratorWasLate(t *testing.T) {
	for _, c := range []struct {
		sentence string
		sent     time.Duration // late, of the first frame
		came     time.Duration // late, of all from the third second on
		best     float64       // p(99) in ms
	}{
		{"the generator is sound, and the server is late", 0, 200 * time.Millisecond, 205},
		{"the server keeps what the generator sent late", 200 * time.Millisecond, 200 * time.Millisecond, 5},
		{"it is later than that", 200 * time.Millisecond, 500 * time.Millisecond, 305},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			totals := playMarked(t, func(s *scene) { s.ledger.list()[0].setLate(0, int32(c.sent/time.Microsecond)) },
				func(b timebase.Bin, _ *Packet) (bool, time.Duration) {
					if b < 150 {
						return true, 0
					}
					return true, c.came
				})
			for _, name := range []string{"latency", "latency_listener"} {
				assert.InDelta(t, c.best, bestOrWorst(t, totals, name).P99, 26, name)
			}
		})
	}
}

// playMarked plays 8 s of marked audio to a listener, and some more that is not counted.
func playMarked(t *testing.T, strike func(*scene), change func(b timebase.Bin, p *Packet) (come bool, late time.Duration)) record.Totals {
	t.Helper()
	s, m := markedScene(t)
	l := s.listener(1)
	strike(s)
	const counted, all = 400, 440
	var onTheWay []Packet
	for b := range timebase.Bin(all) {
		p := s.say(m, b)
		m.Sent(b, 0)
		p.Sequence += 65_500 // which soon begins anew
		if come, late := change(b, &p); come {
			p.At += late
			onTheWay = append(onTheWay, p)
		}
		onTheWay = slices.DeleteFunc(onTheWay, func(p Packet) bool {
			came := p.At <= b.Start()+timebase.BinLength || b == all-1
			if came {
				l.Receive(p)
			}
			return came
		})
		if b%50 == 49 {
			s.settle((b + 1).Start())
		}
	}
	s.end = counted
	return s.finish()
}

func TestWeakMarksAreInDoubt(t *testing.T) {
	s, m := markedScene(t)
	l := s.listener(1)
	for b := range timebase.Bin(600) {
		p := s.say(m, b)
		m.Sent(b, 0)
		if b%10 != 9 {
			l.Receive(p)
		} else {
			l.mu.Lock()
			l.perhaps(0, b)
			l.mu.Unlock()
		}
		if b%50 == 49 {
			s.settle((b + 1).Start())
		}
	}
	totals := s.finish()
	assert.InDelta(t, 0.9, rate(t, totals, "delivered").Share(), 0.012)
	assert.Greater(t, bestRate(t, totals, "delivered"), 0.985)
	assert.Greater(t, bestTrend(t, totals, "mos").Min, trend(t, totals, "mos").Min)
	assert.GreaterOrEqual(t, s.aggregator.Doubted().WeakMarks, uint64(60))
}

func bestRate(t *testing.T, totals record.Totals, name string) float64 {
	t.Helper()
	r, ok := totals.Best[name]
	require.True(t, ok, "%s is not in doubt", name)
	return r.(interface{ Share() float64 }).Share()
}
