package wire

// InviteToStage asks a member of the audience to come on stage, and reserves a
// place for them there. The answer is [OK]; the member gets a [StageInvite].
// Hosts only. A second invitation of the same member takes the first one's place.
type InviteToStage struct {
	fromClient
	ID     string `json:"id,omitempty"`
	Member string `json:"member"`
	// Role is speaker (the default, if empty) or host.
	Role Role `json:"role,omitempty"`
}

// AcceptStage takes up an invitation to the stage. The answer is [OK], then
// comes [RoleChanged].
type AcceptStage struct {
	fromClient
	ID string `json:"id,omitempty"`
}

// DeclineStage turns an invitation to the stage down, or withdraws one. The
// answer is [OK].
type DeclineStage struct {
	fromClient
	ID string `json:"id,omitempty"`
	// Member is whose invitation is withdrawn; hosts only. Empty: one's own.
	Member string `json:"member,omitempty"`
}

// PassHost makes another member host, and oneself a speaker. The answer is [OK].
// Hosts only. A member of the audience comes on stage for it.
type PassHost struct {
	fromClient
	ID     string `json:"id,omitempty"`
	Member string `json:"member"`
}

// StageInvite asks whether one wants to come on stage.
type StageInvite struct {
	fromServer
	// Role is speaker or host.
	Role Role `json:"role"`
	// By is the member who asks; empty for the operator.
	By string `json:"by,omitempty"`
	// ExpiresS is after how many seconds the invitation lapses.
	ExpiresS int `json:"expires_s"`
}

// StageOutcome is the result of an invitation to the stage.
type StageOutcome string

// The outcomes of a [StageInviteClosed].
const (
	StageAccepted  StageOutcome = "accepted"
	StageDeclined  StageOutcome = "declined"
	StageWithdrawn StageOutcome = "withdrawn"
	StageLapsed    StageOutcome = "lapsed"
)

// StageInviteClosed is sent to the hosts and to the invited member when an invitation
// to the stage is over. The place that was held for it is free, or taken.
type StageInviteClosed struct {
	fromServer
	Member  string       `json:"member"`
	Name    string       `json:"name"`
	Outcome StageOutcome `json:"outcome"`
}

// GuestLapsed is sent to the hosts when a guest who was invited to the stage from
// outside has not come in time: the place that was held for them is free.
type GuestLapsed struct {
	fromServer
	// Name is what the invite calls the guest; it may be empty.
	Name string `json:"name"`
	// Role is speaker or host.
	Role Role `json:"role"`
}

// HostReason is how somebody became host.
type HostReason string

// The reasons for a [HostChanged].
const (
	// HostPassed: a host passed the role on.
	HostPassed HostReason = "passed"
	// HostSucceeded: the last host was gone, and nobody came back in time.
	HostSucceeded HostReason = "succeeded"
)

// HostChanged is sent to everybody when the room has another host.
type HostChanged struct {
	fromServer
	Member string     `json:"member"`
	Name   string     `json:"name"`
	Reason HostReason `json:"reason"`
	// By is who passed the role on; empty if nobody did.
	By string `json:"by,omitempty"`
}

func (m InviteToStage) validate() error {
	return first(checkWord("member", m.Member, MaxMember, true),
		checkRole(m.Role, "", RoleSpeaker, RoleHost))
}

func (m DeclineStage) validate() error {
	return checkWord("member", m.Member, MaxMember, false)
}

func (m PassHost) validate() error {
	return checkWord("member", m.Member, MaxMember, true)
}

func (m StageInvite) validate() error {
	return first(checkRole(m.Role, RoleSpeaker, RoleHost), checkWord("by", m.By, MaxMember, false),
		checkCount("expires_s", m.ExpiresS))
}

// validate checks the fields. An outcome this package does not know is accepted:
// a newer server may have more.
func (m StageInviteClosed) validate() error {
	return first(checkWord("member", m.Member, MaxMember, true), checkShown(m.Name),
		checkWord("outcome", string(m.Outcome), MaxID, true))
}

func (m GuestLapsed) validate() error {
	return first(checkShown(m.Name), checkRole(m.Role, RoleSpeaker, RoleHost))
}

// validate checks the fields. A reason this package does not know is accepted: a
// newer server may have more.
func (m HostChanged) validate() error {
	return first(checkWord("member", m.Member, MaxMember, true), checkShown(m.Name),
		checkWord("reason", string(m.Reason), MaxID, true), checkWord("by", m.By, MaxMember, false))
}
