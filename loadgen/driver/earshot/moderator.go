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
	mu            sync.Mutex
	first         *connection // that came in for the timeline
	current       *connection // the present host's
	formerNoShows uint64      // by hosts who are so no more
}

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

// pass makes another session the host's.
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
