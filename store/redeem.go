package store

import (
	"context"
	"time"
)

// redemption is one redemption of an invite, which waits to be decided.
type redemption struct {
	now  time.Time
	done chan struct{}
	// The result, set before done is closed.
	invite Invite
	err    error
}

// Redeem uses up one use of the invite with a code, if there is one left: else
// [ErrUnavailable]. When it returns without an error the use is on the disk as
// used. A caller that gives up may leave a use used up that nobody has had; a use
// is never given twice.
//
// Concurrent redemptions of one invite are written together, so that thousands at
// once cost a few writes. A code that lets nobody in takes the same path as one
// that does, up to the write, whatever the reason.
func (s *Store) Redeem(ctx context.Context, code string, now time.Time) (Invite, error) {
	id := digest(code)
	c := &redemption{now: now, done: make(chan struct{})}
	s.redemptions.mu.Lock()
	queue, busy := s.redemptions.queues[id]
	s.redemptions.queues[id] = append(queue, c)
	if !busy {
		s.redemptions.running.Go(func() { s.redeemQueued(id) })
	}
	s.redemptions.mu.Unlock()
	select {
	case <-c.done:
		return c.invite, c.err
	case <-ctx.Done():
		return Invite{}, ctx.Err()
	}
}

// redeemQueued redeems what is queued for an invite, until nothing is.
func (s *Store) redeemQueued(id string) {
	for {
		s.redemptions.mu.Lock()
		batch := s.redemptions.queues[id]
		if len(batch) == 0 {
			delete(s.redemptions.queues, id)
			s.redemptions.mu.Unlock()
			return
		}
		s.redemptions.queues[id] = []*redemption{}
		s.redemptions.mu.Unlock()
		s.redeem(id, batch)
	}
}

// redeem decides a batch of redemptions, first come first served, with one write.
func (s *Store) redeem(id string, batch []*redemption) {
	defer func() {
		for _, c := range batch {
			close(c.done)
		}
	}()
	given := 0
	// Not a caller's context: it would decide for all of them.
	i, err := s.invites.change(context.Background(), id, func(i Invite, _ bool) (Invite, error) {
		given = min(i.usesLeft(batch[0].now), len(batch))
		if given == 0 {
			return i, ErrUnavailable
		}
		i.Used += given
		return i, nil
	})
	for n, c := range batch {
		switch {
		case err != nil:
			c.err = err
		case n >= given:
			c.err = ErrUnavailable
		default:
			c.invite = i
		}
	}
}
