package loadgen

import (
	"context"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/share"
)

const (
	// scoringShare is how much of a core's time it takes to score what a probe hears, as a
	// share of how long it hears: measured, and rounded up.
	scoringShare = 0.04
	// longestScoring is how long the scoring after a run may take.
	longestScoring = 2 * time.Minute
)

// score scores what the rooms' probes heard, on as many cores as there are. Nothing is
// measured any more.
func (r *run) score(ctx context.Context) {
	r.EnterPhase("scoring")
	r.Problems.Add("score what probes heard", r.cast.Rooms.Score(r.cores, func() bool { return ctx.Err() != nil }))
}

// checkScoring returns an error if what probes hear takes too long to score on a machine
// that has so many processes of all workers.
func checkScoring(m host.Limits, s *scenario.Scenario, workers, processes int) error {
	if !s.AudioScore {
		return nil
	}
	heard := min(s.Hold.Duration()-s.WarmUp.Duration(), ledger.MostExcerpts*ledger.ExcerptLength)
	n := max(workers, 1)
	probes := processes * ((share.Probes(s) + n - 1) / n) // each has one at least
	takes := time.Duration(float64(probes) * scoringShare * float64(heard) / m.Usable())
	if takes <= longestScoring {
		return nil
	}
	return fmt.Errorf("audio_score: to score what %d probes hear would take about %v after the run, and %v is the most: cast fewer listeners, or leave it out",
		probes, takes.Round(time.Second), longestScoring)
}
