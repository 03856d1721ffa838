//go:build unix

package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// afterEpisodes is how long before the end of the hold the last episode has ended, so that what it
// delays comes within the hold, even if a generator in trouble told late that the hold had begun.
const afterEpisodes = 3500 * time.Millisecond

// What a server did wrong lies within each figure's interval, whatever the server and the generator did.
// So no threshold on it is crossed by a server that did less, or surely kept by one that did more. At
// full length every other server is played by workers.
func TestIntervalsHaveWhatAServerDidByChance(t *testing.T) {
	t.Parallel()
	s, seeds := tableSize(), uint64(1)
	s.hold = max(s.hold, 8*time.Second)
	if atFullLength() {
		seeds = 10
	}
	lasts := s.hold - afterEpisodes
	for _, generator := range inTheHold(s) {
		for seed := range seeds {
			t.Run(fmt.Sprintf("a generator that %s, seed %d", generator.sentence, seed+1), func(t *testing.T) {
				t.Parallel()
				var account *account
				args, processes := []string{s.scenario(t, intervalThresholds)}, int64(1)
				if seed%2 == 1 {
					processes = 3
					args = append([]string{"--workers", "3", "--local"}, args...)
				}
				o := playSharing(t, []string{pass, invalid}, processes, func() *outcome {
					server := serveWith(t, "-by-chance", fmt.Sprint(seed+1), "-lasts", lasts.String())
					o := generate(t, server, generator, args...)
					account = accountOf(t, server.URL, s)
					return o
				})
				t.Log(o.Verdict, o.Doubts)
				assert.NotEqual(t, fail, o.Verdict, "no threshold asks for more than this server does: %v", o)
				if o.cutShort() {
					return // its figures are not of what came later
				}
				account.assertWithin(t, o)
				if t.Failed() {
					t.Logf("%s: %v, %v", ByChance(seed+1, lasts).Does, account, o)
				}
			})
		}
	}
}

// cutShort reports whether the run ended before its time: a coordinator could not keep up.
func (o *outcome) cutShort() bool {
	return strings.Contains(strings.Join(o.Reasons, "\n"), "the figures are of what it took until then")
}

// inTheHold are the faults of generators that everybody hears before they strike: what a server does to
// who has not heard it yet is not in the figures. The server is told when the hold begins.
func inTheHold(s size) []generatorFault {
	var all []generatorFault
	for _, f := range slices.Concat(generatorFaults(s), generatorFaultsBeside(s)) {
		switch {
		case f.around != nil, f.sentence == noMoreFiles:
			continue // they are in TestFaultTable
		case f.quotaEvery > 0:
			f.strike = throttle("steady", f.quotaEvery)
		}
		strike := f.strike
		f.strike = func(g *generator) error {
			told := make(chan error)
			go func() { told <- g.tellServer() }()
			var err error
			if strike != nil {
				err = strike(g)
			}
			return errors.Join(err, <-told)
		}
		all = append(all, f)
	}
	return all
}

// tellServer tells the server to begin when the hold has begun.
func (g *generator) tellServer() error {
	if !g.in("steady", 300*time.Millisecond) {
		return nil
	}
	resp, err := oneRequest.Post(g.server+"/begin", "", nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// intervalThresholds ask for figures, and for nothing of a server that does wrong by chance but that
// everybody gets in and hears what was said.
const intervalThresholds = `
  joined: ["rate == 1"]
  published: ["rate == 1"]
  unrecognised: ["rate < 0.001"]
  unauthentic: ["count == 0"]
  delivered: ["rate >= 0"]
  loss: ["max <= 100"]
  concealed: ["max <= 100"]
  latency: ["p(50) < 60m", "p(90) < 60m", "p(99) < 60m", "max < 60m"]
  latency_listener: ["max < 60m"]
  audio_gap: ["max < 60m"]
  duplicates: ["count >= 0"]
  out_of_order: ["count >= 0"]
`

// An account is what a server says that it did. What it did during the hold, whatever the generator and
// the machine did, is in all figures; what else it did may be.
type account struct {
	lost, lostMost    bound // of all listeners, and of the one who lost most
	copies, overtaken bound
	all               waits   // of all listeners
	listeners         []waits // of each
	gap, ownGap       float64 // ms: the longest without a packet, and while there were some to send
}

// A bound is between what a figure is.
type bound struct{ least, most float64 }

// waits are how long after they came packets were sent, in ms, sorted.
type waits struct {
	all  []float64
	held []float64 // of those that came and went during the hold
}

func (d *waits) add(o waits) { d.all, d.held = append(d.all, o.all...), append(d.held, o.held...) }

func (d *waits) sort() { slices.Sort(d.all); slices.Sort(d.held) }

// String implements fmt.Stringer.
func (a *account) String() string {
	return fmt.Sprintf("the server lost %v packets, %v of one listener, sent %d and %v copies, %v out of order, and was silent for %.0f ms, %.0f of them by itself",
		a.lost, a.lostMost, len(a.all.all), a.copies, a.overtaken, a.gap, a.ownGap)
}

// accountOf asks a server what it did.
func accountOf(t *testing.T, url string, s size) *account {
	t.Helper()
	resp, err := oneRequest.Get(url + "/account")
	require.NoError(t, err)
	defer resp.Body.Close()
	var all Account
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&all))
	require.Len(t, all.Listeners, s.listeners)
	require.Positive(t, all.Began, "the server was not told when the hold began")
	a := &account{}
	for _, handled := range all.Listeners {
		a.add(handled, all.Began, all.Began+s.hold-time.Second)
	}
	a.all.sort()
	require.NotEmpty(t, a.all.held)
	return a
}

// add adds what was done for a listener. The hold lasts from then until then, or longer.
func (a *account) add(handled []Handled, from, until time.Duration) {
	var sent []time.Duration // of the first copies, in the order in which they came
	var d waits
	var lost bound
	for _, h := range handled {
		if len(h.Sent) == 0 {
			lost.most++
			if h.Lost && h.Came >= from && h.Came < until {
				lost.least++
			}
			continue
		}
		sent = append(sent, h.Sent[0])
		late := ms(h.Sent[0] - h.Came)
		d.all = append(d.all, late)
		if h.Came >= from && h.Sent[0] < until {
			d.held = append(d.held, late)
		}
		for _, again := range h.Sent[1:] {
			a.copies.most++
			if again < until {
				a.copies.least++
			}
		}
	}
	a.lost.least, a.lost.most = a.lost.least+lost.least, a.lost.most+lost.most
	a.lostMost.least, a.lostMost.most = max(a.lostMost.least, lost.least), max(a.lostMost.most, lost.most)
	for i, at := range sent {
		if slices.ContainsFunc(sent[i+1:], func(later time.Duration) bool { return later < at }) {
			a.overtaken.most++
			if at < until {
				a.overtaken.least++
			}
		}
	}
	d.sort()
	a.all.add(d)
	a.listeners = append(a.listeners, d)
	slices.Sort(sent)
	for i := 1; i < len(sent); i++ {
		a.gap = max(a.gap, ms(sent[i]-sent[i-1]))
		if sent[i-1] >= from && sent[i] < until {
			a.ownGap = max(a.ownGap, ms(spoken(handled, sent[i-1], sent[i])))
		}
	}
}

// spoken is for how long packets came between two moments. A generator that sends in bursts speaks for
// 20 ms in each.
func spoken(handled []Handled, from, until time.Duration) (d time.Duration) {
	last := from
	for _, h := range handled {
		if h.Came > from && h.Came <= until {
			d += min(frame, h.Came-last)
			last = h.Came
		}
	}
	return d
}

// quantile is the value that all but so many of sorted values do not exceed.
func quantile(sorted []float64, but float64) float64 {
	return sorted[min(len(sorted)-1, max(0, len(sorted)-1-int(but)))]
}

// ms is a time in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// assertWithin asserts that the figures of a run can be true.
func (a *account) assertWithin(t *testing.T, o *outcome) {
	t.Helper()
	const (
		own = 100 // ms that a server may be late beside what its fault has it do
		few = 2   // packets of a listener that may be on their way at the beginning and the end
		// A listener is due 5 % more or less than the average, as they came sooner or later.
	)
	due, received := o.of(t, "delivered", "total"), o.of(t, "latency", "count")
	listeners := float64(len(a.listeners))
	dueEach := due / listeners
	// The latest of all are those of the hold.
	late := func(d waits, of, q float64) bound {
		but, ranks := (1-q)*of, few*of/dueEach
		return bound{quantile(d.held, but+ranks), quantile(d.all, but-ranks) + own}
	}
	var listener bound
	for _, d := range a.listeners {
		if len(d.held) > 0 {
			l := late(d, dueEach, 0.99)
			listener.least, listener.most = max(listener.least, l.least), max(listener.most, l.most)
		}
	}
	for of, b := range map[string]bound{
		"delivered rate":       {1 - (a.lost.most+few*listeners)/due, 1 - (a.lost.least-few*listeners)/due},
		"loss max":             {100 * (a.lostMost.least - few) / dueEach * 0.95, 100 * (a.lostMost.most + few) / dueEach * 1.05},
		"concealed max":        {100 * (a.lostMost.least - few) / dueEach * 0.95, 100},
		"latency p(50)":        late(a.all, received, 0.5),
		"latency p(90)":        late(a.all, received, 0.9),
		"latency p(99)":        late(a.all, received, 0.99),
		"latency max":          late(a.all, received, 1),
		"latency_listener max": listener,
		"audio_gap max":        {0.85*a.ownGap - 3*ms(frame), a.gap + own},
		"duplicates count":     a.copies,
		"out_of_order count":   a.overtaken,
	} {
		metric, statistic, _ := strings.Cut(of, " ")
		least, most := o.interval(t, metric, statistic)
		if metric == "duplicates" || metric == "out_of_order" {
			most += o.Doubts["drops"] // so few that the verdict does not mind
		}
		assert.LessOrEqual(t, least, b.most, "%s is at best worse than the server was: %v to %v, and it did %v to %v", of, least, most, b.least, b.most)
		assert.GreaterOrEqual(t, most, b.least, "%s is at worst better than the server was: %v to %v, and it did %v to %v", of, least, most, b.least, b.most)
	}
}

// of is a number that the summary has of a metric.
func (o *outcome) of(t *testing.T, metric, field string) float64 {
	t.Helper()
	n, ok := o.Metrics[metric][field].(float64)
	require.True(t, ok, "%s of %s: %v", field, metric, o.Metrics[metric])
	return n
}

// interval is between which values a figure is that a threshold asks for.
func (o *outcome) interval(t *testing.T, metric, statistic string) (least, most float64) {
	t.Helper()
	for _, threshold := range o.Thresholds {
		name, _, _ := strings.Cut(threshold.Metric, "{")
		if name != metric || !strings.HasPrefix(threshold.Expression, statistic+" ") {
			continue
		}
		require.NotNil(t, threshold.Value, "%s: %v", metric, o)
		if threshold.OK == nil {
			return math.Inf(-1), math.Inf(1) // it holds whatever is in the interval, and is undecided all the same
		}
		all := []float64{*threshold.Value}
		for _, end := range []*float64{threshold.Best, threshold.Worst} {
			if end != nil {
				all = append(all, *end)
			}
		}
		return slices.Min(all), slices.Max(all)
	}
	require.Fail(t, "no threshold on "+metric)
	return 0, 0
}
