package operator

import "time"

// A RoomInfo is a room as the server shows it. HostToken and ExpiresAt are set in the
// response to its creation; Members, Invites and Audit come from requests of their
// own.
type RoomInfo struct {
	Room       string `json:"room"`
	Name       string `json:"name"`
	Visibility string `json:"visibility"`
	Capacity   int    `json:"capacity"`
	Slots      int    `json:"slots"`
	// AudienceHold is how long packets for the audience may wait, in milliseconds.
	AudienceHold int64         `json:"audience_hold_ms,omitempty"`
	Audience     int           `json:"audience"`
	Stage        []StageMember `json:"stage"`
	CreatedAt    time.Time     `json:"created_at"`
	HostToken    string        `json:"host_token,omitempty"`
	ExpiresAt    *time.Time    `json:"expires_at,omitempty"`
	Members      []Member      `json:"members,omitempty"`
	Invites      []InviteInfo  `json:"invites,omitempty"`
	Audit        []AuditEntry  `json:"audit,omitempty"`
}

// A StageMember is somebody on stage.
type StageMember struct {
	Member string `json:"member"`
	Name   string `json:"name"`
	Role   string `json:"role"`
	Muted  bool   `json:"muted"`
}

// A Member is somebody in a room.
type Member struct {
	Member   string    `json:"member"`
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	Account  string    `json:"account,omitempty"`
	Muted    bool      `json:"muted,omitempty"`
	Hand     bool      `json:"hand,omitempty"`
	Away     bool      `json:"away,omitempty"`
	JoinedAt time.Time `json:"joined_at"`
}

// State is what a member is doing, for people; empty if there is nothing to say.
func (m Member) State() string {
	switch {
	case m.Away:
		return "away"
	case m.Muted:
		return "muted"
	case m.Hand:
		return "hand up"
	}
	return ""
}

// An InviteInfo is an invite as the server shows it. Code and URL are set only in the
// response to its creation.
type InviteInfo struct {
	Invite     string    `json:"invite"`
	To         string    `json:"to"`
	Room       string    `json:"room,omitempty"`
	Role       string    `json:"role,omitempty"`
	Name       string    `json:"name,omitempty"`
	Inviter    string    `json:"inviter"`
	ByOperator bool      `json:"by_operator,omitempty"`
	Uses       int       `json:"uses"`
	Used       int       `json:"used"`
	State      string    `json:"state"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	Code       string    `json:"code,omitempty"`
	URL        string    `json:"url,omitempty"`
}

// An AuditEntry is one line of the audit trail: who did what to whom.
type AuditEntry struct {
	At     time.Time `json:"at"`
	Actor  string    `json:"who"`
	Action string    `json:"did"`
	Room   string    `json:"room,omitempty"`
	Target string    `json:"whom,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

// NodeInfo is a server of a cluster.
type NodeInfo struct {
	ID        string    `json:"node"`
	URL       string    `json:"url"`
	PublicURL string    `json:"public_url,omitempty"`
	Zone      string    `json:"zone,omitempty"`
	Seats     int       `json:"seats"`
	Taken     int       `json:"taken"`
	Rooms     int       `json:"rooms"`
	Draining  bool      `json:"draining"`
	Version   string    `json:"version"`
	Started   time.Time `json:"started_at"`
}
