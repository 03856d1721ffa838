package wire

// Ticket is what a client needs to take up its session again after it has lost
// its WebSocket.
type Ticket struct {
	// Key is a secret that belongs to one member of one room.
	Key string `json:"key"`
	// WindowS is for how many seconds after the loss of the WebSocket the server
	// holds the member's seat, role and media.
	WindowS int `json:"window_s"`
}

// validate checks the fields. The zero value is valid: a server need not give one.
func (t Ticket) validate() error {
	return first(checkWord("key", t.Key, MaxKey, t != Ticket{}), checkCount("window_s", t.WindowS))
}

// Resume takes up a session whose WebSocket was lost, on a new one; it stands in
// the place of [Join]. The answer is [Resumed]. If the old WebSocket is still
// there it is ended ([GoodbyeReplaced]).
type Resume struct {
	fromClient
	ID string `json:"id,omitempty"`
	// Room, Member and Key are those of [Joined].
	Room   string `json:"room"`
	Member string `json:"member"`
	Key    string `json:"key"`
	// Rev is the last one that the client has seen, in a [Joined], [Resumed] or
	// [Presence].
	Rev uint64 `json:"rev,omitempty"`
}

// Resumed answers [Resume] with what the client has missed.
type Resumed struct {
	fromServer
	ID     string `json:"id,omitempty"`
	Room   string `json:"room"`
	Member string `json:"member"`
	Role   Role   `json:"role"`
	Talker uint32 `json:"talker"`
	// Muted reports whether one's own mic is muted.
	Muted bool `json:"muted"`
	Slots int  `json:"slots"`
	// Hall, Audience and Total are as in [Joined].
	Hall     int `json:"hall,omitempty"`
	Audience int `json:"audience"`
	Total    int `json:"total,omitempty"`
	// Stage is who is on stage: it comes if the changes since the client's Rev
	// are no longer known, and takes the place of what the client knew. Otherwise
	// it is absent (nil) and StageChanges has the changes.
	Stage        []StageMember `json:"stage,omitzero"`
	StageChanges []StageChange `json:"stage_changes,omitempty"`
	// Rev is the number of the last change in this message.
	Rev     uint64   `json:"rev"`
	Talkers []uint32 `json:"talkers"`
	// Hands and HandCount are as in [Joined].
	Hands     []Hand `json:"hands,omitempty"`
	HandCount int    `json:"hand_count,omitempty"`
	Rules     Rules  `json:"rules,omitzero"`
	// Ear and Mic report which media the server still holds. What is missing may be
	// offered anew.
	Ear bool `json:"ear"`
	Mic bool `json:"mic"`
	// Invite is the invitation to the stage that waits for an answer; nil: none.
	Invite *StageInvite `json:"invite,omitempty"`
	// Resume is the ticket for the next time.
	Resume Ticket `json:"resume,omitzero"`
}

func (m Resume) validate() error {
	return first(checkRoom(m.Room),
		checkWord("member", m.Member, MaxMember, true), checkWord("key", m.Key, MaxKey, true))
}

func (m Resumed) validate() error {
	for _, member := range m.Stage {
		if err := member.validate(); err != nil {
			return err
		}
	}
	for _, change := range m.StageChanges {
		if err := change.validate(); err != nil {
			return err
		}
	}
	if m.Invite != nil {
		if err := m.Invite.validate(); err != nil {
			return err
		}
	}
	return first(checkRoom(m.Room), checkWord("member", m.Member, MaxMember, true),
		checkRole(m.Role, RoleListener, RoleSpeaker, RoleHost), checkCount("slots", m.Slots), checkCount("hall", m.Hall),
		checkCount("audience", m.Audience), checkCount("total", m.Total), checkHands(m.Hands, m.HandCount),
		m.Rules.validate(), m.Resume.validate())
}
