package earshot

import (
	"context"
	"sync"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A moderator is the host who carries out a room's timeline. They join when they are
// first needed, take a place on stage without a mic and do not belong to the cast,
// until they pass the host's role on to a member of the cast. It is safe for
// concurrent use.
type moderator struct {
	mu            sync.Mutex
	first         *connection // who joined for the timeline
	current       *connection // of the present host
	formerNoShows uint64      // reported to former hosts
}

// get returns the host's connection; it joins the room if nobody has.
func (m *moderator) get(ctx context.Context, r *roomClient) (*connection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current != nil {
		return m.current, nil
	}
	s, err := r.join(ctx, "moderator", scenario.Host, r.hostToken)
	if err != nil {
		return nil, err
	}
	m.first, m.current = s, s
	return s, nil
}

// renew brings in another host in place of one who is host no longer.
func (m *moderator) renew(ctx context.Context, r *roomClient, former *connection) (*connection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current != former {
		return m.current, nil // it has happened
	}
	token, err := r.newHost(ctx)
	if err != nil {
		return nil, err
	}
	s, err := r.join(ctx, "moderator", scenario.Host, token)
	if err != nil {
		return nil, err
	}
	m.formerNoShows += former.noShows.Load()
	if former == m.first {
		err = former.Close()
	}
	m.first, m.current = s, s
	return s, err
}

// handOver makes another connection the host's.
func (m *moderator) handOver(to *connection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.formerNoShows += m.current.noShows.Load()
	m.current = to
}

func (m *moderator) noShows() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil {
		return 0
	}
	return m.formerNoShows + m.current.noShows.Load()
}

func (m *moderator) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == nil {
		return nil
	}
	return m.first.Close()
}
