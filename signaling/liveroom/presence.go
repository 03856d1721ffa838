package liveroom

import (
	"slices"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// pendingPresence gathers what has changed in a room since the last presence
// update. The room's lock guards it.
type pendingPresence struct {
	// stage holds the latest state of everyone whose place on stage changed, in the
	// order of their first change.
	stage        []wire.StageChange
	hands, rules bool
	// applause are those who have applauded.
	applause []string
	// sentAudience is the audience of each hall in the last update, and sentTalkers
	// are the talkers in the last talkers message.
	sentAudience []int
	sentTalkers  []uint32
	// resendAudience and resendTalkers report that a newcomer has been shown another
	// value than everybody was last sent. It is then sent again, even if it is back to
	// that. resendAudience has an entry for the stage, and then one for each hall.
	resendAudience []bool
	resendTalkers  bool
}

// shown notes what a newcomer has been shown.
func (n *pendingPresence) shown(p *Participant, halls []int, talkers []uint32) {
	for len(n.resendAudience) <= len(halls) {
		n.resendAudience = append(n.resendAudience, false)
	}
	at := recipients(p)
	for hall, taken := range halls {
		if (p.onStage || hall == p.hall) && taken != n.sent(hall) {
			n.resendAudience[at] = true
		}
	}
	n.resendTalkers = n.resendTalkers || !slices.Equal(talkers, n.sentTalkers)
}

// recipients returns the index of the group that a participant gets updates with:
// 0 for the stage, 1 for the first hall, and so on.
func recipients(p *Participant) int {
	if p.onStage {
		return 0
	}
	return 1 + p.hall
}

func (n *pendingPresence) sent(hall int) int {
	if hall < len(n.sentAudience) {
		return n.sentAudience[hall]
	}
	return 0
}

// audienceChanges reports for each hall whether its audience has to be sent, and
// whether the stage has to be sent a total.
func (n *pendingPresence) audienceChanges(halls []int) (each []bool, total bool) {
	each = make([]bool, len(halls))
	total = len(n.resendAudience) > 0 && n.resendAudience[0]
	for hall, taken := range halls {
		changed := taken != n.sent(hall)
		each[hall] = changed || (hall+1 < len(n.resendAudience) && n.resendAudience[hall+1])
		total = total || changed
	}
	return each, total
}

// stageChanged notes a participant's new state.
func (n *pendingPresence) stageChanged(change wire.StageChange) {
	i := slices.IndexFunc(n.stage, func(c wire.StageChange) bool { return c.Member == change.Member })
	if i < 0 {
		n.stage = append(n.stage, change)
		return
	}
	n.stage[i] = change
}

// applauded notes that somebody applauds; once is enough until it is sent.
func (n *pendingPresence) applauded(member room.MemberID) {
	if id := string(member); !slices.Contains(n.applause, id) {
		n.applause = append(n.applause, id)
	}
}

// presenceUpdate is one presence message with its recipients.
type presenceUpdate struct {
	message wire.Presence
	to      []Connection
}
