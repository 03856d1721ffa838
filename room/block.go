package room

import (
	"fmt"
	"slices"
	"time"
)

// Bar keeps somebody out who was removed or banned.
type Block struct {
	// Member and Name are what the person was called in the room.
	Member MemberID
	Name   string
	// Identity is what does not come in again: of who was removed the token, of
	// who was banned the account, too.
	Identity
	By MemberID
	At time.Time
}

// Remove puts a person out, and keeps the token out with which they came. Only a
// host or the operator may, and nobody themselves: that is leaving.
func (r *Room) Remove(by, id MemberID, now time.Time) ([]Event, error) {
	return r.block(by, id, ReasonRemoved, now)
}

// Ban is [Room.Remove] for good: the person's account is kept out as well.
func (r *Room) Ban(by, id MemberID, now time.Time) ([]Event, error) {
	return r.block(by, id, ReasonBanned, now)
}

func (r *Room) block(by, id MemberID, reason Reason, now time.Time) ([]Event, error) {
	e, err := r.target(by, id, false, now)
	if err != nil {
		return nil, err
	}
	if by == id {
		return nil, fmt.Errorf("member %q: %w: leave instead", string(id), ErrForbidden)
	}
	block := Block{Member: id, Name: e.Name, Identity: e.Identity, By: by, At: now}
	if reason == ReasonRemoved {
		block.Account = ""
	}
	// Who came without a token can't be told from a newcomer.
	if block.Identity != (Identity{}) {
		r.blocks = append(r.blocks, block)
	}
	return r.leave(by, id, reason, now)
}

// Unban lets somebody come back who was removed or banned; id is what they had
// in the room. Only a host or the operator may. [ErrNotMember]: nobody of that id
// was put out.
func (r *Room) Unban(by, id MemberID, now time.Time) ([]Event, error) {
	if err := r.checkCall(now); err != nil {
		return nil, err
	}
	if err := r.checkModerator(by, by, false); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(r.blocks, func(b Block) bool { return b.Member == id })
	if i < 0 {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrNotMember)
	}
	block := r.blocks[i]
	r.blocks = slices.Delete(r.blocks, i, i+1)
	return []Event{{Kind: Unblocked, Room: r.cfg.Name, Block: block, By: by, At: now}}, nil
}

// Bars lists who is kept out, in the order in which they were put out.
func (r *Room) Blocks() []Block { return slices.Clone(r.blocks) }

// Barred reports whether somebody is kept out.
func (r *Room) Blocked(identity Identity) bool {
	return slices.ContainsFunc(r.blocks, func(b Block) bool {
		return (b.TokenFamily != "" && b.TokenFamily == identity.TokenFamily) || (b.Account != "" && b.Account == identity.Account)
	})
}
