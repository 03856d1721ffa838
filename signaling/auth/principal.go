package auth

import "github.com/earshot-audio/earshot/signaling/wire"

// Principal is who a request comes from and what their token allows. It is a
// comparable value; the zero value is somebody without a token, who exists on an
// open server only.
type Principal struct {
	// Operator may do everything.
	Operator bool
	// Room and Role are those of a session token. They are empty for a member's
	// own token and without a token.
	Room string
	Role wire.Role
	// Account is the club member's account, or for a guest who came by an invite a
	// stand-in that begins with "guest:". It is empty for the operator, on an open
	// server, and for the host token of their rooms. An account is in one room at a
	// time.
	Account string
	// Member reports whether the account is a club member's.
	Member bool
	// TokenFamily identifies a token together with all of its refreshes; empty
	// without a token.
	TokenFamily string
	// Invited reports whether the principal holds a token for the room, by an
	// invite or as its creator.
	Invited bool
	// Reservation is the invite's ID, under which a place on stage may be reserved.
	Reservation string
	// InvitedBy lists who invited the principal, and who invited those: accounts and
	// token families, with spaces between them.
	InvitedBy string
	// Name is the display name in the token, if there is one.
	Name string
}

// The kinds of a principal, as the API names them.
const (
	KindOperator = "operator"
	KindMember   = "member"
	KindHost     = "host"
	KindGuest    = "guest"
)

// Kind returns the kind of the principal.
func (p Principal) Kind() string {
	switch {
	case p.Operator:
		return KindOperator
	case p.Room == "" && p.Member:
		return KindMember
	case p.Role == wire.RoleHost:
		return KindHost
	}
	return KindGuest
}

// Actor returns the principal's name in the audit trail, which is also the key
// for its rate limits.
func (p Principal) Actor() string {
	switch {
	case p.Operator:
		return KindOperator
	case p.Account != "":
		return p.Account
	case p.TokenFamily != "":
		return "pass:" + p.TokenFamily
	}
	return "anybody"
}
