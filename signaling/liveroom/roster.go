package liveroom

import (
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// roster holds the participants of a room. The room's lock guards it.
type roster struct {
	participants map[room.MemberID]*Participant
	lastTalker   uint32
}

func newRoster() roster { return roster{participants: make(map[room.MemberID]*Participant)} }

// add adds somebody whom the rules have let in. Talker numbers are never reused.
func (r *roster) add(p *Participant, m room.Member) {
	r.lastTalker++
	p.talker = r.lastTalker
	p.onStage, p.hall = m.Role.OnStage(), m.Hall
	p.joined = true
	r.participants[p.ID] = p
}

// remove removes somebody who has left.
func (r *roster) remove(p *Participant) {
	p.joined, p.onStage = false, false
	delete(r.participants, p.ID)
}

// reconnecting returns the participant who p is, if the room knows them and their
// WebSocket is lost: by their account, or after a restart by their token; else nil.
func (r *roster) reconnecting(rules *room.Room, p *Participant) *Participant {
	id, ok := rules.Identify(p.Identity)
	if !ok || p.mediaOnly != "" {
		return nil
	}
	old := r.participants[id]
	if old == nil || !old.disconnected() || (p.Account == "" && !old.restored) {
		return nil
	}
	return old
}

// connections returns the connections of all participants who have one.
func (r *roster) connections() []Connection {
	all := make([]Connection, 0, len(r.participants))
	for _, p := range r.participants {
		if p.conn != nil {
			all = append(all, p.conn)
		}
	}
	return all
}

// sendHosts queues a message for the hosts.
func (r *roster) sendHosts(rules *room.Room, m wire.ServerMessage) {
	for _, host := range rules.Stage() {
		if host.Role == room.Host {
			r.participants[host.ID].send(m)
		}
	}
}
