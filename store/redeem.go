package store

import (
	"context"
	"time"
)

// claim is one redemption that waits for its turn.
type claim struct {
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
// Redemptions of one invite that come together are written together, so that
// thousands at once cost a few writes. A code that lets nobody in takes the same
// way as one that does up to the writing, whatever the reason.
func (s *Store) Redeem(ctx context.Context, code string, now time.Time) (Invite, error) {
	id := digest(code)
	c := &claim{now: now, done: make(chan struct{})}
	s.counters.mu.Lock()
	queue, busy := s.counters.queues[id]
	s.counters.queues[id] = append(queue, c)
	if !busy {
		s.counters.running.Go(func() { s.serve(id) })
	}
	s.counters.mu.Unlock()
	select {
	case <-c.done:
		return c.invite, c.err
	case <-ctx.Done():
		return Invite{}, ctx.Err()
	}
}

// serve redeems what is queued for an invite until nothing is.
func (s *Store) serve(id string) {
	for {
		s.counters.mu.Lock()
		batch := s.counters.queues[id]
		if len(batch) == 0 {
			delete(s.counters.queues, id)
			s.counters.mu.Unlock()
			return
		}
		s.counters.queues[id] = []*claim{}
		s.counters.mu.Unlock()
		s.redeem(id, batch)
	}
}

// redeem decides a batch of claims, first come first served, with one write.
func (s *Store) redeem(id string, batch []*claim) {
	defer func() {
		for _, c := range batch {
			close(c.done)
		}
	}()
	given := 0
	// Not the callers' contexts: what one of them wants would decide for all.
	i, err := s.invites.change(context.Background(), id, func(i Invite, _ bool) (Invite, error) {
		given = min(i.free(batch[0].now), len(batch))
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
