package cast

import (
	"context"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

// reported is what RTCP says now, by room.
func (rs Rooms) reported() (all []tally.ReportedLosses) {
	for _, h := range rs {
		all = append(all, tally.ReportedLosses{Room: h.number, Mics: h.openMics(), Ears: h.openEars()})
	}
	return all
}

// openMics is what the server says of the mics of the room that are still there.
func (h *roomRun) openMics() (mics []feedback.Upstream) {
	for _, p := range h.people() {
		p.mu.Lock()
		sender := p.sender
		p.mu.Unlock()
		if sender != nil {
			mics = append(mics, sender.mic().Upstream())
		}
	}
	return mics
}

// openEars is what the listeners of the room lost who got in.
func (h *roomRun) openEars() (ears []tally.ListenerLoss) {
	for _, p := range h.people() {
		p.mu.Lock()
		subscriber, listens := p.subscriber, p.room.cast.Scenario.Cast[p.group].Role == scenario.Listener
		first := !p.ear.another
		p.mu.Unlock()
		if !listens || p.account == nil {
			continue
		}
		due, lost, in := p.account.Owed()
		if !in {
			continue
		}
		e := tally.ListenerLoss{Due: due, Lost: lost}
		// What the server sent to an ear that was lost is not known to the end.
		if lean, ok := subscriber.(*client.LeanClient); ok && first {
			e.Sent, e.Reported = lean.Downstream()
		}
		ears = append(ears, e)
	}
	return ears
}

// micSums are those of all rooms, by their numbers: of the mics of all workers, if they can be
// had. Others may be nil.
func micSums(ctx context.Context, others Others, known []tally.ReportedLosses) (map[int]tally.MicSum, error) {
	own := tally.SumsOfMics(known)
	all := own
	var err error
	if others != nil {
		offers, failed := others.Exchange(ctx, "mics", own)
		if err = failed; err == nil {
			all, err = link.Merged[tally.MicSum](offers)
		}
	}
	return tally.MicsByRoom(all), err
}
