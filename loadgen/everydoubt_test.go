package loadgen

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/process"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/scoreboard"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/loadgen/tally"
	"github.com/earshot-audio/earshot/loadgen/timebase"
	"github.com/earshot-audio/earshot/loadgen/usage"
)

// untouched says, of what a generator's fault can't do to a metric's figure, why not.
func untouched() map[string]map[string]string {
	const (
		counts     = "it counts what comes, whenever that is"
		noStamps   = "no receive stamp is in it"
		notOfMedia = "no frame is in it"
		asItSays   = "it says what happened to the generator"
		ofServer   = "the server's process is measured by what the kernel counts"
		scored     = "TestAudioScoreSaysWhatAProbeHeard plays it: the audio has to be decoded"
		fewer      = "a mic's or a listener's socket loses a packet and hears nothing instead"
		spaced     = "a packet that is missing makes those around it no earlier and no later"
		planned    = "it is by when packets were planned to be sent"
		asOld      = "an acknowledgement is taken to be as old as the stall is long, and after it a sound server passes nothing on"
		noOrder    = "the order in which packets come is not that of the reading, and late frames leave in order"
		kept       = "a join has ten seconds, and a server is behind for less"
		askedLater = "a server that waits acknowledges later, and passes nothing on after it"
		byFrame    = "a frame that goes out late for it is counted by itself, and the kernel stamps what comes"
		authentic  = "what the generator does to packets it does to whole ones"
		orders     = "the server counts it, and is asked once"
	)
	all := func(why string) map[string]string {
		m := map[string]string{}
		for _, f := range sufferedFaults(0, 0) {
			m[f.name] = why
		}
		return m
	}
	silence := map[string]string{
		"stall": asOld, "clock step": planned, "late sends": planned, "quota": asOld, "stolen cores": asOld,
		"taken cores": askedLater, "shared cores": askedLater,
	}
	ordered := map[string]string{
		"stall": noOrder, "clock step": noOrder, "late sends": noOrder, "shared cores": noOrder, "taken cores": noOrder, "quota": noOrder, "stolen cores": noOrder,
	}
	return map[string]map[string]string{
		"joined":           {"clock step": noStamps, "late sends": notOfMedia, "shared cores": kept},
		"delivered":        {"clock step": counts},
		"recovered":        {"clock step": noStamps, "late sends": "what is requested again is by the sequence of the server"},
		"onset_clip":       {"clock step": counts, "quota": byFrame},
		"latency":          {"quota": byFrame},
		"jitter":           {"quota": byFrame},
		"rtt":              {"drops": fewer, "late sends": notOfMedia},
		"unrecognised":     all("a packet is recognised by what it holds and its time stamp, and by when it was read after a step"),
		"loss":             {"clock step": counts},
		"audio_score":      all(scored),
		"mute_silence":     silence,
		"kick_silence":     silence,
		"no_shows":         all(orders),
		"published":        {"clock step": noStamps, "late sends": notOfMedia, "shared cores": kept},
		"publish_duration": {"clock step": noStamps, "late sends": notOfMedia},
		"mic_rtt":          {"clock step": noStamps, "drops": fewer, "late sends": notOfMedia},
		"mic_loss":         {"clock step": noStamps, "quota": byFrame},
		"mic_jitter":       {"clock step": noStamps, "drops": spaced},
		"mic_nacks":        all("the server counts it, and only mics behind a simulated network are asked"),
		"duplicates":       all("a packet is requested again by the present, and not by when those before it came"),
		"out_of_order":     ordered,
		"unauthentic":      all(authentic),
		"server_cpu":       all(ofServer),
		"server_rss":       all(ofServer),
		"packets_per_core": {"clock step": counts},
		"generator_lag":    all(asItSays),
		"generator_drops":  all(asItSays),
	}
}

// playedElsewhere are the metrics some of whose doubts other tests play: the audio has to be decoded, or
// an order to be on its way.
var playedElsewhere = []string{"audio_score", "mute_silence", "kick_silence"}

// held are thresholds that a sound server holds, whoever plays.
func held(t *testing.T) (all []metric.Threshold) {
	t.Helper()
	for name, expression := range map[string]string{
		"joined": "rate == 1", "join_duration": "max < 600ms", "join_step": "max < 500ms", "reconnect_duration": "max < 500ms",
		"delivered": "rate == 1", "recovered": "rate >= 0.99", "onset_clip": "max < 15ms", "latency": "max < 50ms", "latency_listener": "max < 50ms",
		"rtt": "max < 20ms", "unrecognised": "rate == 0", "jitter": "max < 1ms", "loss": "max == 0%", "concealed": "max == 0%",
		"audio_gap": "max < 50ms", "gaps_per_minute": "max == 0", "frozen_time": "max < 1ms", "mos": "min > 4", "mos_worst": "min > 4",
		"audio_score": "min > 4", "promote_duration": "max < 500ms", "mute_silence": "max == 0", "kick_silence": "max == 0", "no_shows": "count == 0",
		"published": "rate == 1", "publish_duration": "max < 1500ms", "mic_rtt": "max < 30ms", "mic_loss": "max == 0%", "mic_jitter": "max < 2ms",
		"mic_nacks": "count == 0", "duplicates": "count == 0", "out_of_order": "count == 0", "unauthentic": "count == 0", "server_cpu": "value < 2",
		"server_rss": "value < 1GB", "packets_per_core": "value > 0", "generator_lag": "max < 1m", "generator_drops": "count < 1000",
	} {
		th, err := metric.ParseThreshold(name, expression)
		require.NoError(t, err)
		all = append(all, th)
	}
	return all
}

// heldInParts are thresholds on metrics and on all their parts: some of the people, a phase, each window.
func heldInParts(t *testing.T) (thresholds []metric.Threshold) {
	t.Helper()
	for _, th := range held(t) {
		d, ok := metric.Lookup(th.Metric)
		require.True(t, ok)
		thresholds = append(thresholds, th)
		add := func(source, expression string) {
			part, err := metric.ParseThreshold(source, expression)
			require.NoError(t, err)
			thresholds = append(thresholds, part)
		}
		if d.Parts.People {
			add(th.Metric+"{network:3g}", th.Expression)
		}
		if d.Parts.Phases {
			add(th.Metric+"{phase:steady}", th.Expression)
		}
		if d.Parts.Windows {
			for _, over := range []string{"1s", "2s", "4s"} {
				add(th.Metric, th.Expression+" over "+over)
			}
		}
	}
	return thresholds
}

// TestNoPartOfAMetricIsCrossedWhereTheGeneratorIsAtFault is the same of what is asked of some of the people, of a
// phase, or of each window, and of faults that begin anywhere in a second and last.
func TestNoPartOfAMetricIsCrossedWhereTheGeneratorIsAtFault(t *testing.T) {
	thresholds := heldInParts(t)
	play := func(name string, f sufferedFault) {
		t.Run(name, func(t *testing.T) {
			result := suffer(t, f, thresholds)
			for _, th := range thresholds {
				is := th.EvaluateBetween(result.Values, result.Best)
				if name, _, _ := strings.Cut(th.Metric, "{"); f.name == "none" && is.OK == nil {
					assert.Contains(t, []string{"audio_score", "server_cpu", "server_rss"}, name, "%s: %s", th, is.Reason)
				}
				if is.OK != nil {
					assert.True(t, *is.OK, "%s fails a sound server: %s", th, figures(is))
				}
			}
		})
	}
	for _, when := range []struct{ struck, lasting time.Duration }{
		{8980 * time.Millisecond, time.Second}, {8380 * time.Millisecond, 3 * time.Second}, {7 * time.Second, 7 * time.Second},
	} {
		for _, f := range append(sufferedFaults(when.struck, when.lasting), pausedMachine(when.struck, when.lasting)) {
			if f.name == "stolen cores" && when.lasting > time.Second {
				continue // all of them: the machine is paused
			}
			play(fmt.Sprintf("%s at %v for %v", f.name, when.struck, when.lasting), f)
		}
	}
	// One fault may hide another in the same window.
	for _, one := range sufferedFaults(7300*time.Millisecond, 300*time.Millisecond) {
		for _, next := range sufferedFaults(10500*time.Millisecond, 200*time.Millisecond) {
			if one.name == "drops" && (next.name == "stall" || next.name == "shared cores") {
				play(one.name+", and then "+next.name, one.and(next))
			}
		}
	}
}

// TestEveryMetricIsInDoubtWhereTheGeneratorIsAtFault plays runs whose server is sound. Of each
// metric in the catalogue it asserts that a fault of the generator puts the figure in doubt, or
// can't touch it and why, and that a threshold that the server holds is never crossed by it.
func TestEveryMetricIsInDoubtWhereTheGeneratorIsAtFault(t *testing.T) {
	reasons := untouched()
	for _, f := range sufferedFaults(8*time.Second, time.Second) {
		t.Run(f.name, func(t *testing.T) {
			thresholds := held(t)
			result := suffer(t, f, thresholds)
			asked := map[string]metric.Result{}
			for _, th := range thresholds {
				asked[th.Metric] = th.EvaluateBetween(result.Values, result.Best)
			}
			for _, d := range metric.Definitions() {
				require.Contains(t, asked, d.Name, "each metric has a threshold here")
				is := asked[d.Name]
				if f.name == "none" {
					if d.Name != "audio_score" {
						require.NotNil(t, is.OK, "%s: %s", d.Name, is.Reason)
						assert.True(t, *is.OK, "%s is %v", d.Name, is.Value)
					}
					assert.NotContains(t, result.Best, d.Name, "nothing is in doubt")
					continue
				}
				if is.OK != nil {
					assert.True(t, *is.OK, "%s fails a sound server: %s", d.Name, figures(is))
				}
				_, doubted := result.Best[d.Name]
				why := reasons[d.Name][f.name]
				if listed := slices.Contains(d.Doubt.By, f.cause); !listed || !slices.Contains(playedElsewhere, d.Name) {
					assert.Equal(t, doubted, listed, "%s is said to be in doubt by %s (metric.Definition.Doubt), or not", d.Name, f.cause)
				}
				switch {
				case why == "":
					assert.True(t, doubted, "%s has one figure, and nothing says why a %s does not touch it", d.Name, f.name)
				case f.name != "none":
					assert.False(t, doubted, "%s is in doubt, but: %s", d.Name, why)
				}
			}
		})
	}
}

// figures says what a result is at worst and at best.
func figures(r metric.Result) string {
	worst, best := math.NaN(), math.NaN()
	if r.Value != nil {
		worst, best = *r.Value, *r.Value
	}
	if r.Best != nil {
		best = *r.Best
	}
	return fmt.Sprintf("%v at worst, %v at best (%s)", worst, best, r.Reason)
}

// onHere is a driver without a server, on another machine.
type onHere struct{ driver.Driver }

func (onHere) Loopback() bool                    { return false }
func (onHere) Capabilities() driver.Capabilities { return driver.Capabilities{} }
func (onHere) Target() string                    { return "" }

// suffer plays a run of a sound server with a generator that has a fault.
func suffer(t *testing.T, f sufferedFault, thresholds []metric.Threshold) *Result {
	t.Helper()
	return sufferBoth(t, f, soundServer(), thresholds)
}

// sufferBoth plays a run whose server has a fault, too.
func sufferBoth(t *testing.T, f sufferedFault, s serverFault, thresholds []metric.Threshold) *Result {
	t.Helper()
	w := &sufferingRun{
		t: t, fault: f, server: s,
		Scoreboard: scoreboard.New(Config{Driver: onHere{}, Scenario: &scenario.Scenario{
			Rooms: 1, Thresholds: thresholds, Timeline: []scenario.Event{{Do: scenario.InviteGuest}},
			Cast: []scenario.Group{{Role: scenario.Speaker, Count: 2}, {Role: scenario.Listener, Count: 4}},
		}}, timebase.NewClock(), nil),
	}
	w.Aggregator.Follow(thresholds)
	w.ledger = w.Book.NewLedger()
	w.play()
	after := usage.Sample{At: 20 * time.Second, Server: &process.Usage{CPU: 10 * time.Second, Memory: 1e6}}
	return w.Combine(w.Aggregator.Doubted(), []*tally.Tally{w.tally()}, nil, false, Span{}, usage.Sample{Server: &process.Usage{}}, after)
}

type sufferingRun struct {
	scoreboard.Scoreboard
	t         *testing.T
	fault     sufferedFault
	server    serverFault
	ledger    *ledger.Ledger
	sources   []*ledger.Source
	listeners []*ledger.Listener
	from      []timebase.Bin // from which on each of them is in
	arrivals  map[timebase.Bin][]func()
}

func (w *sufferingRun) play() {
	w.arrivals = map[timebase.Bin][]func(){}
	for i := range 2 {
		c := &speech.Clip{Name: fmt.Sprint(i)}
		for n := range runBins {
			c.Frames = append(c.Frames, speech.Frame{Payload: fmt.Appendf(nil, "%d says %d", i, n)})
		}
		m, err := w.ledger.AddSource(c, 0, 0)
		require.NoError(w.t, err)
		w.sources = append(w.sources, m)
	}
	require.NoError(w.t, w.Aggregator.Begin(record.Steady, 0))
	w.join("", 0, w.server.slow)
	w.join("", 0, w.server.slow)
	w.join("3g", 0, w.server.slow) // for whom lost packets are requested again
	w.join("", w.fault.struck-100*time.Millisecond, w.fault.slow+w.server.slow)
	for range w.server.refused {
		l := w.ledger.AddListener(2, record.Labels{})
		l.Expect(0, 0, 10*time.Second)
		l.Failed(100 * time.Millisecond)
	}
	if w.fault.breaks { // another join comes to nothing
		l, from := w.ledger.AddListener(2, record.Labels{}), w.fault.struck-100*time.Millisecond
		l.Expect(from, from, from+w.fault.lasting+lastHalf)
		l.Failed(from + w.fault.lasting + lastHalf)
	}
	booked := w.fault.booked
	for b := range timebase.Bin(runBins) {
		w.send(b)
		for _, arrive := range w.arrivals[b] {
			arrive()
		}
		delete(w.arrivals, b)
		if b == w.fault.struckBin+8 && w.fault.dropped > 0 { // what was dropped comes again
			w.receive(2, 0, w.fault.struckBin+2, w.fault.struckBin+2, time.Second)
		}
		now := (b + 1).Start()
		if w.fault.stopped && now > w.fault.struck && now < w.fault.struck+w.fault.lasting {
			continue
		}
		for len(booked) > 0 && booked[0].at <= now {
			booked[0].book(w.Aggregator)
			booked = booked[1:]
		}
		if b%50 == 49 {
			w.Aggregator.Drain(now, w.ledger.Settle(now))
		}
	}
	end := timebase.Bin(runBins).Start()
	w.ledger.Stop(end)
	w.Aggregator.Stop(end)
	w.ledger.Finish(end + time.Second)
	w.Aggregator.Finish(end + time.Second)
}

// join adds a listener whose join takes 200 ms, and so much longer.
func (w *sufferingRun) join(network string, from, slow time.Duration) {
	l := w.ledger.AddListener(2, record.Labels{Network: network})
	l.Expect(from, from, from+10*time.Second)
	l.StepBegan(record.StepDTLS, from)
	l.StepEnded(record.StepDTLS, from+200*time.Millisecond+slow)
	l.Connected(from + 200*time.Millisecond + slow)
	w.listeners = append(w.listeners, l)
	w.from = append(w.from, timebase.BinAt(from+200*time.Millisecond+slow))
}

// send has the first source say the frame of a bin, and the second from the fault on, and all
// receive it. Once a second they measure the round trip.
func (w *sufferingRun) send(b timebase.Bin) {
	for i, m := range w.sources {
		if i == 1 && b < w.fault.struckBin {
			continue
		}
		m.Sending(b, w.fault.late(b))
		m.Sent(b, w.fault.late(b))
		for j := range w.listeners {
			if b < w.from[j] || w.fault.lost(j, b) || w.server.loses(j, b) {
				continue
			}
			// What the server keeps for longer is out already when what goes out late comes out of a queue.
			w.receive(j, i, b, b, w.fault.late(b)+w.fault.misread(b)+w.server.late(b))
			if w.server.copies {
				w.receive(j, i, b, b, w.fault.late(b)+w.fault.misread(b)+w.server.late(b))
			}
		}
	}
	if b%50 == 5 {
		at := b.Start()
		for _, l := range w.listeners {
			slow, own := w.server.wait, time.Duration(0)
			if at >= w.fault.struck && at < w.fault.struck+w.fault.lasting {
				slow, own = w.server.wait+w.fault.own+w.fault.misread(b), w.fault.own
			}
			l.RoundTrip(at, at+5*time.Millisecond+slow, own)
		}
	}
}

// receive has a listener receive a frame so much later than 5 ms after it was to be sent, as
// the packet with a number.
func (w *sufferingRun) receive(listener, source int, b, number timebase.Bin, later time.Duration) {
	m := w.sources[source]
	p := ledger.Packet{
		Section: source, Sequence: uint16(number), Timestamp: uint32(b) * ledger.SamplesPerBin, Talker: uint32(source + 1),
		Payload: m.Frame(b).Payload, At: m.Intended(b) + 5*time.Millisecond + later,
	}
	at := timebase.BinAt(p.At)
	w.arrivals[at] = append(w.arrivals[at], func() { w.listeners[listener].Receive(p) })
}

// reported is what the server has reported of a mic.
type reported feedback.Upstream

// Upstream returns it.
func (r reported) Upstream() feedback.Upstream { return feedback.Upstream(r) }

// tally is what the run measured beside what its listeners received.
func (w *sufferingRun) tally() *tally.Tally {
	f, slow := w.fault, w.fault.slow+w.server.slow
	m, worst, best := &tally.Moderation{}, metric.Values{}, metric.Values{}
	from, until := f.struck-50*time.Millisecond, f.struck+50*time.Millisecond+slow
	m.Reconnected(tally.Interval{From: from, Until: until})
	late := f.late(f.struckBin) // the first frame that is heard
	for _, hear := range []func(tally.Interval){m.Promoted, m.Reopened} {
		hear(tally.Interval{From: from, Until: max(until, f.struck+50*time.Millisecond+late), SentLate: late})
	}
	order := tally.SilenceOrder{Requested: f.struck - 10*time.Millisecond, Acknowledged: f.struck + 10*time.Millisecond + f.own}
	for _, verb := range []scenario.Verb{scenario.Mute, scenario.Kick} {
		// A frame was on its way when the server acknowledged.
		onItsWay := func(after time.Duration) int {
			if after < f.struck {
				return 1
			}
			return 0
		}
		m.Silenced(verb.Spec(), order.Count(onItsWay, w.Aggregator.Doubts.Slowed(order.Requested, order.Acknowledged), tally.IgnoreMuteFor, f.dropped))
	}
	m.Durations(&w.Aggregator.Doubts, worst, best)
	m.Packets(worst, best)
	t := &tally.Tally{
		Lag: &metric.Trend{}, SocketDrops: f.dropped, Asked: 100, Recovered: 100,
		Final: &tally.Final{Worst: map[string]*metric.Trend{}, Best: map[string]*metric.Trend{}},
	}
	t.Lag.Record(1)
	lost := uint64(0)
	if f.lost(0, f.struckBin) {
		lost = 2
	}
	missed := lost
	if f.own > 0 { // it asks for them too late
		missed = 2
	}
	w.Aggregator.LostResends(missed, f.struck-time.Second, f.struck+f.lasting)
	t.Final.Excused = w.Aggregator.ExcusedResends()
	t.Recovered -= t.Final.Excused + w.server.lost/10
	excused := min(lost, w.Aggregator.Doubts.LossInDoubt(f.struck-time.Second, f.struck+f.lasting))
	if f.late(f.struckBin) >= doubt.LateLoss {
		excused = lost
	}
	for name, v := range worst {
		t.Final.Worst[name], t.Final.Best[name] = v.(*metric.Trend), v.(*metric.Trend)
		if b, ok := best[name].(*metric.Trend); ok {
			t.Final.Best[name] = b
		}
	}
	own := &tally.Lateness{}
	for b := range timebase.Bin(runBins) {
		own.Enter(f.late(b), f.late(b))
	}
	mics := tally.NewUplinks(f.lasting + 2*lastHalf)
	mic := mics.Add(f.struck - 100*time.Millisecond)
	mic.Opened(f.struck+slow+100*time.Millisecond, 0)
	mic.Release(func() tally.Ending {
		return tally.Ending{
			At: 20 * time.Second, RTT: 5*time.Millisecond + w.server.wait + (f.own+f.behind)/10, Checks: 10, OwnJitter: own.Jitter(),
			Reports: reported{Sent: 1000, Covered: 1000, Lost: lost + w.server.lost, Excused: excused, Jitter: own.Jitter() + time.Millisecond + w.server.jitter, Reports: 20},
		}
	})
	if f.breaks { // another comes to nothing
		mics.Add(f.struck-10*time.Millisecond).Failed(f.struck-10*time.Millisecond+f.lasting+2*lastHalf, errors.New("nothing came"))
	}
	t.Final.Uplinks = mics.Sum(&w.Aggregator.Doubts, f.dropped)
	return t
}
