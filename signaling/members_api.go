package signaling

import (
	"net/http"
	"strconv"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// memberInfo is how the API shows somebody in a room to those who manage it.
type memberInfo struct {
	Member  string    `json:"member"`
	Name    string    `json:"name"`
	Role    wire.Role `json:"role"`
	Account string    `json:"account,omitempty"`
	Muted   bool      `json:"muted,omitempty"`
	Hand    bool      `json:"hand,omitempty"`
	Away    bool      `json:"away,omitempty"`
	Joined  time.Time `json:"joined_at"`
}

// members returns everybody in the room, in the order in which they came in.
func (l *live) members() []memberInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := []memberInfo{}
	for _, m := range l.rules.Members() {
		list = append(list, memberInfo{
			Member: string(m.ID), Name: m.Name, Role: wireRole(m.Role), Account: m.Account,
			Muted: m.Muted, Hand: m.HandUp(), Away: !m.Connected(), Joined: m.JoinedAt.UTC(),
		})
	}
	return list
}

// listMembers serves GET /api/rooms/{room}/members.
func (s *Server) listMembers(w http.ResponseWriter, r *http.Request) {
	l, _, err := s.managed(r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string][]memberInfo{"members": l.members()})
}

// kickMember serves DELETE /api/rooms/{room}/members/{member}: out, and not in
// again with the same token; with ?ban=true not with the same account either.
func (s *Server) kickMember(w http.ResponseWriter, r *http.Request) {
	l, have, err := s.managed(r)
	var ban bool
	if query := r.URL.Query().Get("ban"); err == nil && query != "" {
		if ban, err = strconv.ParseBool(query); err != nil {
			err = fieldError("ban", "must be true or false")
		}
	}
	if err == nil {
		did, put := "member.remove", l.rules.Remove
		if ban {
			did, put = "member.ban", l.rules.Ban
		}
		err = s.moderate(l, have, did, r.PathValue("member"), put)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// muteMember serves POST /api/rooms/{room}/members/{member}/mute.
func (s *Server) muteMember(w http.ResponseWriter, r *http.Request) {
	l, have, err := s.managed(r)
	var body struct {
		Muted *bool `json:"muted"`
	}
	if err == nil {
		err = readBody(w, r, &body)
	}
	if err == nil && body.Muted == nil {
		err = fieldError("muted", "must be true or false")
	}
	if err == nil {
		did, set := "member.mute", l.rules.Mute
		if !*body.Muted {
			did, set = "member.unmute", l.rules.Unmute
		}
		err = s.moderate(l, have, did, r.PathValue("member"), set)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// moderate does something to a member with the authority of the operator: whose
// token it was is in the audit trail, which is kept with the change.
func (s *Server) moderate(l *live, have grant, did, member string, change func(by, id room.MemberID, now time.Time) ([]room.Event, error)) error {
	return l.act(func(now time.Time) ([]room.Event, error) {
		id := room.MemberID(member)
		m, _ := l.rules.Member(id)
		events, err := change(room.Operator, id, now)
		if err == nil && len(events) > 0 {
			s.note(have, did, l.id, member, describe(m))
		}
		return events, err
	}, nil)
}

// describe says for the audit trail who a member is.
func describe(m room.Member) string {
	text := strconv.Quote(m.Name)
	if m.Account != "" {
		text += " " + m.Account
	}
	return text
}

// note adds an entry to the audit trail, without waiting.
func (s *Server) note(have grant, did, room, whom, detail string) {
	s.store.Audit(store.AuditEntry{At: s.cfg.Clock().UTC(), Actor: have.who(), Action: did, Room: room, Target: whom, Detail: detail})
}

// The number of audit entries that are shown if the request does not say.
const fewEntries = 100

// roomTrail serves GET /api/rooms/{room}/audit, for those who manage it. The
// operator gets it for a room that has ended as well.
func (s *Server) roomTrail(w http.ResponseWriter, r *http.Request) {
	have, err := s.authorize(r)
	id := r.PathValue("room")
	if err == nil && !have.operator {
		_, _, err = s.managed(r)
	}
	if err == nil && !wire.ValidRoom(id) {
		err = errNoRoom
	}
	s.showTrail(w, r, id, err)
}

// trail serves GET /api/audit, for the operator.
func (s *Server) trail(w http.ResponseWriter, r *http.Request) {
	have, err := s.authorize(r)
	if err == nil && !have.operator {
		err = wire.NewError(wire.CodeForbidden, "the audit trail takes the operator's token")
	}
	s.showTrail(w, r, "", err)
}

func (s *Server) showTrail(w http.ResponseWriter, r *http.Request, room string, err error) {
	limit := fewEntries
	if query := r.URL.Query().Get("limit"); err == nil && query != "" {
		if limit, err = strconv.Atoi(query); err != nil || limit < 1 || limit > store.MaxEntries {
			err = fieldError("limit", "must be from 1 to "+strconv.Itoa(store.MaxEntries))
		}
	}
	var entries []store.AuditEntry
	if err == nil {
		entries, err = s.store.AuditLog(r.Context(), room, limit)
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	if entries == nil {
		entries = []store.AuditEntry{}
	}
	writeJSON(w, http.StatusOK, map[string][]store.AuditEntry{"entries": entries})
}
