package workers

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A band is workers that measure the same: listeners of a room with a simulated network.
type band struct {
	aggregator *record.Aggregator
	ledger     *ledger.Ledger
	source     *ledger.Source
	listeners  []*ledger.Listener
	chance     *rand.Rand
	next       timebase.Bin
	members    []*Membership
	sequence   uint64
	told       measured // by each member
}

// measured is how many packets came of how many in all, and of how many in the steady state
// the latency is known.
type measured struct {
	Delivered metric.Rate
	Latencies uint64
	// Age is how old the last whole second of the steady state was at most when it was told.
	Age time.Duration
	// Reported is how many bytes a worker sent at most, and Heard how many came to it, in how
	// long.
	Reported, Heard uint64
	Took            time.Duration
}

func newBand(number, listeners int, clip *speech.Clip) (*band, error) {
	b := &band{aggregator: record.NewAggregator(), chance: rand.New(rand.NewPCG(1, uint64(number)))}
	b.aggregator.Export()
	b.ledger = ledger.NewBook(b.aggregator).NewLedger()
	for i := range listeners {
		b.listeners = append(b.listeners, b.ledger.AddListener(3, record.Labels{Probe: i%100 == 0}))
	}
	var err error
	b.source, err = b.ledger.AddSource(clip, 100*number, 0)
	return b, err
}

// join has all listeners join, a millisecond apart.
func (b *band) join(at time.Duration) {
	for i, l := range b.listeners {
		intended := at + time.Duration(i)*time.Millisecond
		b.aggregator.Arrival(intended)
		l.Expect(intended, intended, intended+10*time.Second)
		l.Connected(intended + 20*time.Millisecond)
	}
}

// send sends the frames until a moment: one in fifty is late, and one in a thousand lost.
func (b *band) send(until time.Duration) {
	for ; b.source.Intended(b.next+1) < until; b.next++ {
		b.source.Sending(b.next, 0)
		b.source.Sent(b.next, 0)
		p := ledger.Packet{
			Sequence: uint16(b.next), Timestamp: uint32(b.next) * ledger.SamplesPerBin, Talker: 7, Payload: b.source.Frame(b.next).Payload,
		}
		for _, l := range b.listeners {
			if b.chance.IntN(1000) == 0 {
				continue
			}
			p.At = b.source.Intended(b.next) + time.Duration(1+b.chance.ExpFloat64()*3)*time.Millisecond
			l.Receive(p)
		}
	}
}

// say sends a report of each worker of the band.
func (b *band) say(now time.Duration, add func(*link.Report)) error {
	r := link.Report{Relayed: link.Relayed{Horizon: max(timebase.BinAt(now)-10, 0), Processed: max(now-time.Second/2, 0)}}
	if told, news := b.source.Tell(); news {
		r.Told = []link.ToldSource{{SourceID: link.SourceID{Index: b.members[0].number}, Worker: b.members[0].number, Told: told}}
	}
	add(&r)
	b.sequence++
	r.Sequence = b.sequence
	for i, m := range b.members {
		one := r
		if i > 0 {
			one.Told = nil // it is the first one's speaker
		}
		if _, bound, err := m.Clock(); err == nil {
			one.Bound = bound
		}
		if err := m.Send(one); err != nil {
			return err
		}
	}
	return nil
}

// parts are what the band has measured since the last time.
func (b *band) parts() (all []record.Part) {
	all = b.aggregator.TakeParts()
	for _, p := range all {
		for _, c := range p.Cells {
			b.told.Delivered = b.told.Delivered.Plus(metric.Rate{Passes: c.Passes, Total: c.Owed})
		}
		steady := uint64(1) << uint(slices.IndexFunc(p.Phases, func(p record.PartPhase) bool { return p.Name == record.Steady }))
		for _, second := range p.Buckets {
			for _, c := range second.Cells {
				if second.Phases&steady != 0 {
					b.told.Latencies += c.Certain.Count() + c.Worst.Count()
				}
			}
		}
	}
	return all
}

// tallied is what a worker says of itself.
func tallied() *tally.Tally {
	t := &tally.Tally{Lag: &metric.Trend{}, CPUs: 8, Mics: 1, Published: 1}
	for i := range 200 {
		t.Lag.Record(float64(i) / 50)
	}
	return t
}

// meet is when all begin a phase.
func (b *band) meet(key string, at time.Duration, answers map[string][][]byte) (time.Duration, error) {
	if err := b.say(at, func(r *link.Report) {
		r.Offers = map[string][]byte{key: fmt.Appendf(nil, `{"at":%d,"agreed":true}`, at)}
	}); err != nil {
		return 0, err
	}
	for {
		if answer := answers[key]; answer != nil {
			latest := at
			for _, text := range answer {
				var one struct{ At time.Duration }
				if err := json.Unmarshal(text, &one); err != nil {
					return 0, err
				}
				latest = max(latest, one.At)
			}
			return latest, nil
		}
		select {
		case n := <-b.members[0].News():
			if n.Stop != "" {
				return 0, fmt.Errorf("the run is stopped: %s", n.Stop)
			}
			for k, a := range n.Answers {
				answers[k] = a
			}
		case <-time.After(link.ReportEvery):
			if err := b.say(at, func(*link.Report) {}); err != nil {
				return 0, err
			}
		}
	}
}

// play is what the workers of a band do.
func (b *band) play(zero time.Time, hold time.Duration) error { //nolint:gocognit // a run, told in order
	stopReading := make(chan struct{})
	defer close(stopReading)
	for _, m := range b.members[1:] {
		go func() {
			for {
				select {
				case <-m.News():
				case <-stopReading:
					return
				}
			}
		}()
	}
	now := func() time.Duration { return time.Since(zero) }
	answers := map[string][][]byte{}
	started, err := b.meet(record.Arrivals, now()+300*time.Millisecond, answers)
	if err != nil {
		return err
	}
	if err := b.aggregator.Begin(record.Arrivals, started); err != nil {
		return err
	}
	b.next = timebase.BinAt(started) + 1
	b.join(started)
	holding, err := b.meet("hold", started+time.Second, answers)
	if err != nil {
		return err
	}
	if err := b.aggregator.Begin(record.Steady, holding); err != nil {
		return err
	}
	stop, settled := holding+hold, timebase.Bin(0)
	tick := time.NewTicker(link.ReportEvery)
	defer tick.Stop()
	for i := 1; now() < stop; i++ {
		select {
		case <-tick.C:
		case n := <-b.members[0].News():
			i--
			if n.Stop != "" {
				return fmt.Errorf("the run is stopped: %s", n.Stop)
			}
			continue
		}
		b.send(min(now()-10*time.Millisecond, stop))
		if err := b.say(now(), func(r *link.Report) {
			switch i % 5 {
			case 0: // as a run does
				settled = b.ledger.Settle(now())
				b.aggregator.Drain(now(), settled)
			case 2:
				b.aggregator.Drain(now(), settled)
				r.Parts, r.Tally = b.parts(), tallied()
				if known := r.Parts[0].Before.Start() - holding; known >= time.Second {
					b.told.Age = max(b.told.Age, now()-holding-known.Truncate(time.Second))
				}
			}
		}); err != nil {
			return err
		}
	}
	for _, phase := range []string{"stop", "settling"} {
		if stop, err = b.meet(phase, stop, answers); err != nil {
			return err
		}
	}
	b.send(stop)
	b.aggregator.Stop(stop)
	b.ledger.Stop(stop)
	b.ledger.Finish(stop + time.Second)
	b.aggregator.Finish(stop + time.Second)
	if err := b.say(now(), func(r *link.Report) {
		r.Parts, r.Tally = b.parts(), tallied()
		r.Tally.Final = &tally.Final{}
	}); err != nil {
		return err
	}
	return b.say(now(), func(r *link.Report) { r.Done = true })
}

// BenchmarkReporting measures what it costs a worker to tell of a second of 5,000 listeners: its
// CPU, in % of a core, and the bytes.
//
//	go test ./loadgen/workers -run '^$' -bench Reporting
func BenchmarkReporting(b *testing.B) {
	clip, err := speech.Load("builtin:speech")
	require.NoError(b, err)
	of, err := newBand(0, 5000, clip)
	require.NoError(b, err)
	require.NoError(b, of.aggregator.Begin(record.Arrivals, 0))
	of.join(0)
	const arrivals = 10 // s, until whoever came last has been settled
	second := func(i int) {
		now := time.Duration(i) * time.Second
		of.send(now)
		of.aggregator.Drain(now, of.ledger.Settle(now))
	}
	for i := range arrivals {
		second(i)
	}
	require.NoError(b, of.aggregator.Begin(record.Steady, arrivals*time.Second))
	of.aggregator.TakeParts()
	bytes, i := 0, arrivals
	for b.Loop() {
		b.StopTimer()
		i++
		second(i)
		b.StartTimer()
		for tell := range time.Second / link.ReportEvery {
			r := link.Report{Sequence: uint64(i), Relayed: link.Relayed{Horizon: timebase.BinAt(time.Duration(i) * time.Second)}}
			if told, news := of.source.Tell(); news {
				r.Told = []link.ToldSource{{Told: told}}
			}
			if tell == 0 {
				r.Parts, r.Tally = of.aggregator.TakeParts(), tallied()
			}
			text, err := json.Marshal(message{Report: &r})
			require.NoError(b, err)
			bytes += len(text)
		}
	}
	b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N), "%-of-a-core")
	b.ReportMetric(float64(bytes)/float64(b.N), "bytes/s")
}
