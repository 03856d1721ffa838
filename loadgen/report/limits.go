package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
)

// What people do who are not in yet, as problems have it.
var joining = []string{"join", "connect"}

// measuring is what the run does to know what the server uses. What others take from it is in doubt
// where it fails.
const measuring = "measure the server"

// ofJoins are the metrics whose intervals have what a listener may have heard whom a limit of the
// generator kept out, and those of packets that came, of which such a listener has none.
var ofJoins = []string{
	"delivered", "latency", "unrecognised", "jitter", "loss", "concealed", "frozen_time", "mos", "mos_worst", "audio_score",
	"duplicates", "out_of_order", "unauthentic",
}

// limitMayCross reports whether a threshold that is crossed at best may be so since the generator was
// at a limit, or did not play all of the run: what that may have done to the figure is in no interval.
//
// Of a run that was ended, lost a worker or lost what workers told, it is not known what would have come.
// A limit of the whole machine is one that the server may have met, and one at which a mic was not opened, or
// a timeline not played, may cross anything. But one that kept listeners from joining kept them alone.
func (r *Report) limitMayCross(t metric.Threshold) bool {
	if r.cutShort() {
		return true
	}
	own, joins := false, true
	for _, p := range r.Result.Problems {
		if p.Own {
			own, joins = true, joins && !p.Shared && (p.Doing == measuring || slices.Contains(joining, p.Doing))
		}
	}
	if !own || r.refusedOf(t) != "" {
		return false
	}
	d, _ := metric.Lookup(t.Metric)
	return !joins || !slices.Contains(ofJoins, d.Name)
}

// cutShort reports whether some of the run was not played, or not told.
func (r *Report) cutShort() bool {
	run := r.Result
	return run.Interrupted || run.Overrun != "" || slices.ContainsFunc(run.Workers, func(w loadgen.Worker) bool { return w.Lost != "" })
}

// refused says that the server refused so many people that a threshold on joined or published
// is crossed even if all others had come in, if it is so. Who was due is not known of a run
// that was interrupted, lost a worker or lost what workers told. A server may well refuse
// those who want to hear a mic that did not come, perhaps since the generator was at a limit.
func (r *Report) refused() string {
	for _, j := range r.Thresholds {
		if text := r.refusedOf(j.Threshold); text != "" {
			return text
		}
	}
	return ""
}

// refusedOf is that of one threshold.
func (r *Report) refusedOf(t metric.Threshold) string {
	run, who, doing := r.Result, "listener", joining
	switch t.Source() {
	case "joined":
		if slices.ContainsFunc(run.Problems, func(p problem.Problem) bool { return !p.Refused && p.Doing == problem.Publishing }) {
			return ""
		}
	case "published":
		who, doing = "mic", []string{problem.Publishing}
	default:
		return ""
	}
	all, _ := run.Values[t.Source()].(metric.Rate)
	refused := uint64(0)
	for _, p := range run.Problems {
		if p.Refused && slices.Contains(doing, p.Doing) {
			refused += uint64(p.Count)
		}
	}
	if r.cutShort() || refused == 0 || refused > all.Total {
		return ""
	}
	best := metric.Values{t.Source(): metric.Rate{Passes: all.Total - refused, Total: all.Total}}
	if result := t.EvaluateBetween(run.Values, best); result.OK == nil || *result.OK {
		return ""
	}
	return fmt.Sprintf("the server refused %s of %s, which crosses %s: %s whatever the generator did",
		thousands(refused), count(int(all.Total), who), t.Metric, t.Expression)
}

// unpublished says that the server did not take mics that people were cast to listen to, if no threshold says how many
// it has to take: of their rooms little is measured, and that is no pass. It is a doubt if all of them may have
// failed by the generator's doing.
func (r *Report) unpublished() (fault, doubt string) {
	run := r.Result
	if run.Seats == 0 || slices.ContainsFunc(r.Thresholds, func(t Judgement) bool { return t.Source() == "published" }) {
		return "", ""
	}
	refused, unanswered, why := uint64(0), uint64(0), ""
	for _, p := range run.Problems {
		switch {
		case p.Doing != problem.Publishing:
			continue
		case p.Refused:
			refused += uint64(p.Count)
		default:
			unanswered += uint64(p.Count)
		}
		why = cmp.Or(why, p.Error)
	}
	if refused+unanswered == 0 {
		return "", ""
	}
	text := fmt.Sprintf("the server did not take the mics of %s of %s whom listeners were to hear: %s; if fewer are enough, say so by a threshold on published",
		thousands(refused+unanswered), count(run.Mics.Opened, "speaker"), why)
	if refused > 0 || unanswered > r.excusedMics() {
		return text, ""
	}
	return "", "perhaps by the generator's doing, " + text
}

// excusedMics is how many of the mics that the server did not take, or keep, may be the generator's fault.
func (r *Report) excusedMics() uint64 {
	worst, _ := r.Result.Values["published"].(metric.Rate)
	best, doubted := r.Result.Best["published"].(metric.Rate)
	if !doubted {
		return 0
	}
	return best.Passes - worst.Passes
}

// limits is what the generator could not do since its own machine was at a limit,
// or since it was interrupted.
func (r *Report) limits() (all []string) {
	for _, p := range r.Result.Problems {
		if p.Own {
			all = append(all, fmt.Sprintf("the generator's machine was at a limit: %s", p))
		}
	}
	if r.Result.Overrun != "" {
		all = append(all, fmt.Sprintf("the coordinator could not keep up with the workers: %s; the figures are of what it took until then: give it a core of its own, or have fewer workers", r.Result.Overrun))
	}
	var lost []string
	for _, w := range r.Result.Workers {
		if w.Lost != "" {
			lost = append(lost, fmt.Sprintf("worker %s was lost: %s; the figures are of what the workers told until then", w.Name, w.Lost))
		}
	}
	all = append(all, first(lost)...)
	if r.Result.Interrupted {
		all = append(all, "the run was interrupted")
	}
	return all
}
