package earshot

import (
	"context"
	"sync"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A moderator is the host who carries out a room's timeline. They come in when
// they are first needed, take a place on stage without a mic, and are none of
// the cast; until they pass the role on to one of the cast.
type moderator struct {
	mu      sync.Mutex
	own     *connection // that came in for the timeline
	session *connection // the present host's
	missed  uint64      // by hosts who are so no more
}

func (m *moderator) get(ctx context.Context, r *roomClient) (*connection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session != nil {
		return m.session, nil
	}
	s, err := r.enter(ctx, "moderator", scenario.Host, r.hostToken)
	if err != nil {
		return nil, err
	}
	m.own, m.session = s, s
	return s, nil
}

// pass makes another session the host's.
func (m *moderator) pass(to *connection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missed += m.session.lapsed.Load()
	m.session = to
}

func (m *moderator) noShows() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session == nil {
		return 0
	}
	return m.missed + m.session.lapsed.Load()
}

func (m *moderator) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.own == nil {
		return nil
	}
	return m.own.Close()
}
