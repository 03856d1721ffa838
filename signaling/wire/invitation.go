package wire

// InviteToStage asks a member of the audience to come on stage, and holds a
// place for them there. The answer is [OK]; the member gets a [StageInvite].
// Hosts only. A second invitation of the same member takes the first one's place.
type InviteToStage struct {
	ID     string `json:"id,omitempty"`
	Member string `json:"member"`
	// Role is speaker (the default, if empty) or host.
	Role Role `json:"role,omitempty"`
}

// AcceptStage takes up an invitation to the stage. The answer is [OK], then
// comes [RoleChanged].
type AcceptStage struct {
	ID string `json:"id,omitempty"`
}

// DeclineStage turns an invitation to the stage down, or withdraws one. The
// answer is [OK].
type DeclineStage struct {
	ID string `json:"id,omitempty"`
	// Member is whose invitation is withdrawn; hosts only. Empty: one's own.
	Member string `json:"member,omitempty"`
}

// PassHost makes another member host, and oneself a speaker. The answer is [OK].
// Hosts only. A member of the audience comes on stage for it.
type PassHost struct {
	ID     string `json:"id,omitempty"`
	Member string `json:"member"`
}

// StageInvite asks whether one wants to come on stage.
type StageInvite struct {
	// Role is speaker or host.
	Role Role `json:"role"`
	// By is the member who asks; empty for the operator.
	By string `json:"by,omitempty"`
	// ExpiresS is after how many seconds the invitation lapses.
	ExpiresS int `json:"expires_s"`
}

// StageOutcome tells what became of an invitation to the stage.
type StageOutcome string

// The outcomes of a [StageInviteClosed].
const (
	StageAccepted  StageOutcome = "accepted"
	StageDeclined  StageOutcome = "declined"
	StageWithdrawn StageOutcome = "withdrawn"
	StageLapsed    StageOutcome = "lapsed"
)

// StageInviteClosed tells the hosts, and whom it was for, that an invitation to
// the stage is over. The place that was held for it is free, or taken.
type StageInviteClosed struct {
	Member  string       `json:"member"`
	Name    string       `json:"name"`
	Outcome StageOutcome `json:"outcome"`
}

// GuestLapsed tells the hosts that a guest who was invited to the stage from
// outside has not come in time: the place that was held for them is free.
type GuestLapsed struct {
	// Name is what the invite calls the guest; it may be empty.
	Name string `json:"name"`
	// Role is speaker or host.
	Role Role `json:"role"`
}

// HostReason tells how somebody became host.
type HostReason string

// The reasons for a [HostChanged].
const (
	// HostPassed: a host passed the role on.
	HostPassed HostReason = "passed"
	// HostSucceeded: the last host was gone, and nobody came back in time.
	HostSucceeded HostReason = "succeeded"
)

// HostChanged tells everybody that the room has another host.
type HostChanged struct {
	Member string     `json:"member"`
	Name   string     `json:"name"`
	Reason HostReason `json:"reason"`
	// By is who passed the role on; empty if nobody did.
	By string `json:"by,omitempty"`
}

// Type returns [TypeInviteToStage].
func (InviteToStage) Type() Type { return TypeInviteToStage }

// Type returns [TypeAcceptStage].
func (AcceptStage) Type() Type { return TypeAcceptStage }

// Type returns [TypeDeclineStage].
func (DeclineStage) Type() Type { return TypeDeclineStage }

// Type returns [TypePassHost].
func (PassHost) Type() Type { return TypePassHost }

// Type returns [TypeStageInvite].
func (StageInvite) Type() Type { return TypeStageInvite }

// Type returns [TypeStageInviteClosed].
func (StageInviteClosed) Type() Type { return TypeStageInviteClosed }

// Type returns [TypeGuestLapsed].
func (GuestLapsed) Type() Type { return TypeGuestLapsed }

// Type returns [TypeHostChanged].
func (HostChanged) Type() Type { return TypeHostChanged }

// RequestID returns the client's id for the request.
func (m InviteToStage) RequestID() string { return m.ID }

// RequestID returns the client's id for the request.
func (m AcceptStage) RequestID() string { return m.ID }

// RequestID returns the client's id for the request.
func (m DeclineStage) RequestID() string { return m.ID }

// RequestID returns the client's id for the request.
func (m PassHost) RequestID() string { return m.ID }

// RequestID returns "": it answers nothing.
func (StageInvite) RequestID() string { return "" }

// RequestID returns "": it answers nothing.
func (StageInviteClosed) RequestID() string { return "" }

// RequestID returns "": it answers nothing.
func (GuestLapsed) RequestID() string { return "" }

// RequestID returns "": it answers nothing.
func (HostChanged) RequestID() string { return "" }

// Validate checks the fields.
func (m InviteToStage) Validate() error {
	return first(checkWord("id", m.ID, MaxID, false), checkWord("member", m.Member, MaxMember, true),
		checkRole(m.Role, "", RoleSpeaker, RoleHost))
}

// Validate checks the fields.
func (m AcceptStage) Validate() error { return checkWord("id", m.ID, MaxID, false) }

// Validate checks the fields.
func (m DeclineStage) Validate() error {
	return first(checkWord("id", m.ID, MaxID, false), checkWord("member", m.Member, MaxMember, false))
}

// Validate checks the fields.
func (m PassHost) Validate() error {
	return first(checkWord("id", m.ID, MaxID, false), checkWord("member", m.Member, MaxMember, true))
}

// Validate checks the fields.
func (m StageInvite) Validate() error {
	return first(checkRole(m.Role, RoleSpeaker, RoleHost), checkWord("by", m.By, MaxMember, false),
		checkCount("expires_s", m.ExpiresS))
}

// Validate checks the fields. An outcome this package does not know is accepted:
// a newer server may have more.
func (m StageInviteClosed) Validate() error {
	return first(checkWord("member", m.Member, MaxMember, true), checkName("name", m.Name),
		checkWord("outcome", string(m.Outcome), MaxID, true))
}

// Validate checks the fields.
func (m GuestLapsed) Validate() error {
	return first(checkName("name", m.Name), checkRole(m.Role, RoleSpeaker, RoleHost))
}

// Validate checks the fields. A reason this package does not know is accepted: a
// newer server may have more.
func (m HostChanged) Validate() error {
	return first(checkWord("member", m.Member, MaxMember, true), checkName("name", m.Name),
		checkWord("reason", string(m.Reason), MaxID, true), checkWord("by", m.By, MaxMember, false))
}

func (InviteToStage) fromClient() {}
func (AcceptStage) fromClient()   {}
func (DeclineStage) fromClient()  {}
func (PassHost) fromClient()      {}

func (StageInvite) fromServer()       {}
func (StageInviteClosed) fromServer() {}
func (GuestLapsed) fromServer()       {}
func (HostChanged) fromServer()       {}
