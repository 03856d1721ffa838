package wire

// Hands says who may raise a hand in a room.
type Hands string

// The hand policies.
const (
	// HandsOff: nobody may.
	HandsOff Hands = "off"
	// HandsEveryone: everybody in the audience may.
	HandsEveryone Hands = "everyone"
	// HandsInvited: those may who came by an invite to the room.
	HandsInvited Hands = "invited"
)

// Visibility says who finds a room and may come in.
type Visibility string

// The visibilities.
const (
	// VisibleOpen: everybody in the club sees it and may come in.
	VisibleOpen Visibility = "open"
	// VisibleMembers: who has an account in the club sees it and may come in;
	// others need an invite to it.
	VisibleMembers Visibility = "members"
	// VisibleClosed: only who has an invite to it. To all others it answers like
	// a room that does not exist.
	VisibleClosed Visibility = "closed"
)

// Rules are what a room's hosts can set while it runs.
type Rules struct {
	Hands Hands `json:"hands"`
	// SelfUnmute lets speakers undo a mute that a host has put on them.
	SelfUnmute bool       `json:"self_unmute"`
	Visibility Visibility `json:"visibility"`
	// AudienceHold is how long packets for the audience may wait for others, to leave
	// together, in milliseconds.
	AudienceHold int `json:"audience_hold_ms,omitempty"`
}

// validate checks the fields. The zero value is valid: a server that is older
// than the rules does not send them.
func (r Rules) validate() error {
	if r == (Rules{}) {
		return nil
	}
	return first(checkChoice("hands", r.Hands, HandsOff, HandsEveryone, HandsInvited),
		checkChoice("visibility", r.Visibility, VisibleOpen, VisibleMembers, VisibleClosed),
		CheckAudienceHold(r.AudienceHold))
}

// SetRules changes the rules that it names. The answer is [OK]; then a
// [Presence] informs everybody. Hosts only.
type SetRules struct {
	fromClient
	ID string `json:"id,omitempty"`
	// Hands is the new hand policy; empty: as it was. Hands of those who may no
	// longer raise one go down.
	Hands Hands `json:"hands,omitempty"`
	// SelfUnmute is nil for: as it was.
	SelfUnmute *bool `json:"self_unmute,omitempty"`
	// Visibility is who may come in from now on; empty: as it was. Who is in
	// stays.
	Visibility Visibility `json:"visibility,omitempty"`
	// AudienceHold is how long packets for the audience may wait from now on, in
	// milliseconds; nil: as it was.
	AudienceHold *int `json:"audience_hold_ms,omitempty"`
}

func (m SetRules) validate() error {
	if m.Hands == "" && m.SelfUnmute == nil && m.Visibility == "" && m.AudienceHold == nil {
		return NewError(CodeBadRequest, `one of "hands", "self_unmute", "visibility" and "audience_hold_ms" must be given`)
	}
	if m.AudienceHold != nil {
		if err := CheckAudienceHold(*m.AudienceHold); err != nil {
			return err
		}
	}
	return first(checkChoice("hands", m.Hands, "", HandsOff, HandsEveryone, HandsInvited),
		checkChoice("visibility", m.Visibility, "", VisibleOpen, VisibleMembers, VisibleClosed))
}

// CheckAudienceHold checks how long the audience's packets may wait, in milliseconds, as
// the field "audience_hold_ms" of messages and of the HTTP API.
func CheckAudienceHold(ms int) error {
	if ms < 0 || int64(ms) > MaxAudienceHold.Milliseconds() {
		return FieldError("audience_hold_ms", "must be from 0 to %d", MaxAudienceHold.Milliseconds())
	}
	return nil
}

// Ban puts a member out and keeps them out: neither their token nor their
// account comes back into this room. The answer is [OK]. Hosts only.
type Ban struct {
	fromClient
	ID     string `json:"id,omitempty"`
	Member string `json:"member"`
}

// Unban lets somebody who was removed or banned come back. The answer is [OK].
// Hosts only.
type Unban struct {
	fromClient
	ID string `json:"id,omitempty"`
	// Member is the id that the person had in the room.
	Member string `json:"member"`
}

func (m Ban) validate() error {
	return checkWord("member", m.Member, MaxMember, true)
}

func (m Unban) validate() error {
	return checkWord("member", m.Member, MaxMember, true)
}
