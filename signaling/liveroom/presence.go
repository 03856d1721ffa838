package liveroom

import (
	"slices"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// pendingPresence gathers what has changed in a room since the last presence
// update. The room's lock guards it.
type pendingPresence struct {
	// stage holds the latest state of everyone whose place on stage changed, in the
	// order of their first change.
	stage        []wire.StageChange
	hands, rules bool
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

// presenceUpdate is one presence message with its recipients.
type presenceUpdate struct {
	message wire.Presence
	to      []Connection
}

// takePresence returns the presence updates that are due and resets what is
// pending: the stage's update first, then one for each hall. The caller holds the
// lock.
func (l *LiveRoom) takePresence() []presenceUpdate {
	halls := l.rules.Halls()
	n := &l.pending
	audience, total := n.audienceChanges(halls)
	common := wire.Presence{Rev: l.log.revision, StageChanges: n.stage}
	if n.rules {
		rules := wireRules(l.rules.Rules())
		common.Rules = &rules
	}
	all, hands := len(n.stage) > 0 || n.rules, n.hands
	n.stage, n.hands, n.rules = nil, false, false
	n.sentAudience = halls
	clear(n.resendAudience)
	if l.rules.Ended() || (!total && !all && !hands && !slices.Contains(audience, true)) {
		return nil
	}

	updates := make([]presenceUpdate, 1+len(halls))
	stage := common
	stage.Audience, stage.Total = halls[0], l.rules.Audience()
	if hands {
		stage.Hands, stage.HandCount = view{l}.hands()
	}
	updates[0].message = stage
	due := make([]bool, 1+len(halls))
	due[0] = total || all || hands
	for hall, taken := range halls {
		updates[1+hall].message = common
		updates[1+hall].message.Audience = taken
		if due[1+hall] = audience[hall] || all; due[1+hall] {
			updates[1+hall].to = make([]Connection, 0, taken)
		}
	}
	for _, p := range l.roster.participants {
		if at := recipients(p); p.conn != nil && due[at] {
			updates[at].to = append(updates[at].to, p.conn)
		}
	}
	return updates
}

// takeTalkers returns the talkers and the connections that must be sent them; none
// if that is not due. The caller holds the lock.
func (l *LiveRoom) takeTalkers() ([]uint32, []Connection) {
	if l.rules.Ended() {
		return nil, nil
	}
	list := l.announcer.talkers()
	if slices.Equal(list, l.pending.sentTalkers) && !l.pending.resendTalkers {
		return nil, nil
	}
	l.pending.sentTalkers, l.pending.resendTalkers = list, false
	return list, l.roster.connections()
}
