package loadgen

import (
	"context"
	"sync"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// A moderator is the host who carries out a room's timeline. They come in when
// they are first needed, take a place on stage without a mic, and are none of
// the cast.
type moderator struct {
	mu      sync.Mutex
	session *session
}

func (m *moderator) get(ctx context.Context, r *earshotRoom) (*session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session != nil {
		return m.session, nil
	}
	s, err := r.enter(ctx, "moderator", scenario.Host, r.hostToken)
	if err != nil {
		return nil, err
	}
	m.session = s
	return s, nil
}

func (m *moderator) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.session == nil {
		return nil
	}
	return m.session.Close()
}
