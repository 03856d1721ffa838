package loadgen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/loadgen/link"
)

// Exchange gives all workers what each of them offers under a key.
func (p *peers) Exchange(ctx context.Context, key string, mine any) ([][]byte, error) {
	text, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.offers[key] = text
	p.mu.Unlock()
	p.send(false)
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.answers[key] == nil {
		if ctx.Err() != nil || p.ended {
			return nil, fmt.Errorf("agree on %s with the other workers: %w", key, errors.Join(context.Cause(ctx), errEnded(p.ended)))
		}
		p.changed.Wait()
	}
	all := p.answers[key]
	delete(p.answers, key)
	return all, nil
}

func errEnded(ended bool) error {
	if ended {
		return errCoordinatorLost
	}
	return nil
}

// meet returns when a phase begins: in one process at the time that it proposes; of several
// the latest that one proposes, and later by lead, so that all know by then. What agreed
// is for holds if it does for all.
//
// Nothing that was sent from the proposed time on is settled until the phase has begun: the others may take
// their time to answer, and all processes have to cut what they measure at the same bin.
func (r *run) meet(ctx context.Context, phase string, at, lead time.Duration, agreed *bool) (time.Duration, error) {
	if r.peers == nil {
		return at, nil
	}
	mine := link.Meeting{At: at + lead, Agreed: agreed != nil && *agreed}
	r.Book.HoldOpen(mine.At)
	all, err := r.peers.Exchange(ctx, phase, mine)
	if err != nil {
		return 0, err
	}
	met, err := link.Latest(all)
	if agreed != nil {
		*agreed = met.Agreed
	}
	r.Book.HoldOpen(met.At)
	return met.At, err
}
