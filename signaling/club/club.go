package club

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/access"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// creatorTTL is the lifetime of the host token that the creator of a room gets who
// is no member: the operator, or anybody on an open server. They can make another
// room at any time.
const creatorTTL = 24 * time.Hour

// Club makes transactions. All fields are required. It is safe for concurrent use.
type Club struct {
	Store   *store.Store
	Rooms   *liveroom.Registry
	Auth    *auth.Authenticator
	Access  *access.Policy
	Limiter *auth.Limiter
	// Invites is how many people a new member may invite.
	Invites int
	// MaxMembers is how many members there may be.
	MaxMembers int
	Clock      func() time.Time
	// planning is held while a plan is made, so that nobody makes more than they may.
	planning sync.Mutex
	// LoggedIn ends what an account has on the other servers of a cluster with tokens of
	// another family; nil: there are none.
	LoggedIn func(ctx context.Context, account, keep string)
	// Deleted has the other servers of a cluster forget a deleted account, whose name was
	// the given one; nil: there are none.
	Deleted func(ctx context.Context, account, name string)
}

// Audit adds an entry to the audit log, without waiting. target and detail may be
// empty.
func (c *Club) Audit(who auth.Principal, action, room, target, detail string) {
	c.Store.Audit(store.AuditEntry{At: c.Clock().UTC(), Actor: who.Actor(), Action: action, Room: room, Target: target, Detail: detail})
}

// audited adds an entry to the audit log and returns when it is safe.
func (c *Club) audited(ctx context.Context, who auth.Principal, action, room, target, detail string) error {
	c.Audit(who, action, room, target, detail)
	return c.Store.Flush(ctx)
}

// CreateRoom makes a room, owned by the principal if they are a member and it has no
// other owner, and returns the tokens with which they are a host there.
func (c *Club) CreateRoom(ctx context.Context, who auth.Principal, spec liveroom.Spec) (*liveroom.LiveRoom, auth.Tokens, error) {
	if who.Member {
		spec.Owner = cmp.Or(spec.Owner, who.Account)
	}
	l, err := c.Rooms.Create(spec)
	if err != nil {
		return nil, auth.Tokens{}, err
	}
	tokens, err := c.hostTokens(who, l.ID())
	if err != nil {
		return nil, auth.Tokens{}, err
	}
	return l, tokens, c.audited(ctx, who, "room.create", l.ID(), "", spec.Title)
}

func (c *Club) hostTokens(who auth.Principal, room string) (auth.Tokens, error) {
	claims := auth.Claims{Room: room, Role: wire.RoleHost, Name: who.Name}
	if !who.Member {
		return c.Auth.IssueFor(claims, creatorTTL)
	}
	account, err := c.Store.Account(who.Account)
	if err != nil {
		return auth.Tokens{}, err
	}
	claims.Subject, claims.Login, claims.TokenFamily = account.ID, account.Login, who.TokenFamily
	return c.Auth.Issue(claims)
}

// EndRoom ends a room for a principal who manages it, and returns when it is torn
// down.
func (c *Club) EndRoom(who auth.Principal, l *liveroom.LiveRoom) error {
	return l.EndIf(func(rules *room.Room) error {
		err := c.Access.CheckManages(who, l, rules)
		if err == nil {
			c.Audit(who, "room.end", l.ID(), "", "")
		}
		return err
	})
}

// Moderate changes a member for a principal who manages the room. The audit log has
// whose token it was, under the given action.
func (c *Club) Moderate(who auth.Principal, l *liveroom.LiveRoom, action, member string, change func(rules *room.Room, by, id room.MemberID, now time.Time) ([]room.Event, error)) error {
	id := room.MemberID(member)
	return l.Moderate(id, func(rules *room.Room, now time.Time) ([]room.Event, error) {
		if err := c.Access.CheckManages(who, l, rules); err != nil {
			return nil, err
		}
		events, err := change(rules, room.Operator, id, now)
		if i := slices.IndexFunc(events, func(e room.Event) bool { return e.Member.ID == id }); err == nil && i >= 0 {
			c.Audit(who, action, l.ID(), member, liveroom.Describe(events[i].Member))
		}
		return events, err
	}, nil)
}
