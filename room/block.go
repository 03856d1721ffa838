package room

import (
	"fmt"
	"slices"
	"time"
)

// Block keeps a person out who was removed or banned.
type Block struct {
	// Member and Name are the id and the name that the person had in the room.
	Member MemberID
	Name   string
	// Identity is what is refused: the token of a person who was removed, and
	// also the account of one who was banned. The invite by which they came admits
	// nobody any more.
	Identity
	// Whose is the account of a person who was removed. It is not refused: with it goes
	// their name, see [Room.Forget].
	Whose string `json:",omitempty"`
	By    MemberID
	At    time.Time
}

// Remove removes a person and blocks the token with which they joined, and the
// invite by which they came. What they have offered others ends. Only a host or the
// operator may, and nobody can remove themselves: that is leaving.
func (r *Room) Remove(by, id MemberID, now time.Time) ([]Event, error) {
	return r.block(by, id, ReasonRemoved, now)
}

// Ban is [Room.Remove], and blocks the person's account as well.
func (r *Room) Ban(by, id MemberID, now time.Time) ([]Event, error) {
	return r.block(by, id, ReasonBanned, now)
}

// Recall tells the room who somebody is that was in it on another server and has not come here
// since: [Room.Remove] and [Room.Ban] keep them out. It knows the last one only.
func (r *Room) Recall(m Member) { r.recalled = &entry{Member: m} }

// toBlock checks the call and the actor, and finds who is to be kept out. absent means that they are not
// in the room: see [Room.Recall].
func (r *Room) toBlock(by, id MemberID, now time.Time) (e *entry, absent bool, err error) {
	if err := r.checkCall(now); err != nil {
		return nil, false, err
	}
	if err := r.checkModerator(by, id, false); err != nil {
		return nil, false, err
	}
	e, err = r.find(id)
	if err != nil && r.recalled != nil && r.recalled.ID == id {
		return r.recalled, true, nil
	}
	return e, false, err
}

func (r *Room) block(by, id MemberID, reason Reason, now time.Time) ([]Event, error) {
	e, absent, err := r.toBlock(by, id, now)
	if err != nil {
		return nil, err
	}
	if by == id || r.samePerson(by, e) {
		return nil, fmt.Errorf("member %q: %w: leave instead", string(id), ErrForbidden)
	}
	if len(r.blocks) >= MaxRemembered && e.Identity != (Identity{}) {
		return nil, fmt.Errorf("member %q: %w", string(id), ErrRemembered)
	}
	block := Block{Member: id, Name: e.Name, Identity: e.Identity, By: by, At: now}
	if reason == ReasonRemoved {
		block.Account, block.Whose = "", e.Account
	}
	// A person without a token or an account can't be recognised later.
	if block.Identity != (Identity{}) {
		r.blocks = append(r.blocks, block)
	}
	events := r.endInvites(e, by, now)
	others := r.sessions(e)
	if absent {
		blocked := r.event(Blocked, e, by, now)
		blocked.Reason = reason
		events = append(events, blocked)
		if again := r.accounts[e.Account]; e.Account != "" && again != nil {
			others = append(others, again)
		}
		r.recalled = nil
	} else {
		events = append(events, r.remove(e, by, reason, now)...)
	}
	for _, other := range others {
		events = append(events, r.remove(other, by, ReasonReplaced, now)...)
	}
	return events, nil
}

// Unban removes the block of a person who was removed or banned; id is the one
// that they had in the room. Only a host or the operator may. The error is
// [ErrNotMember] if nobody of that id is blocked.
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

// Blocks lists the blocks, the oldest first.
func (r *Room) Blocks() []Block { return slices.Clone(r.blocks) }

// Blocked reports whether a person is blocked.
func (r *Room) Blocked(identity Identity) bool {
	return slices.ContainsFunc(r.blocks, func(b Block) bool {
		return (b.TokenFamily != "" && b.TokenFamily == identity.TokenFamily) || (b.Account != "" && b.Account == identity.Account)
	})
}
