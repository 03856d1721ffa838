package earshot

import (
	"context"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
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

// comeBackPause is the pause between two attempts of a moderator to come back.
const comeBackPause = 200 * time.Millisecond

// get returns the host's connection; it joins the room if nobody has, and again if the connection has been
// lost: the node of the room may be gone.
func (m *moderator) get(ctx context.Context, r *roomClient) (*connection, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current != nil {
		own := m.current == m.first
		if m.current = m.current.latest(); own {
			m.first = m.current
		}
		if !m.current.isLost() {
			return m.current, nil
		}
		return m.comeBack(ctx, r)
	}
	s, err := r.join(ctx, "moderator", scenario.Host, r.hostToken)
	if err != nil {
		return nil, err
	}
	m.first, m.current = s, s
	return s, nil
}

// comeBack brings the host back in, and tries until ctx ends. m.mu is held.
func (m *moderator) comeBack(ctx context.Context, r *roomClient) (*connection, error) {
	former := m.current
	for {
		s, resumed, err := m.enterAgain(ctx, r, former)
		if err == nil {
			if !resumed { // else it has them from its former connection
				m.formerNoShows += former.noShows.Load()
			}
			m.first, m.current = s, s
			return s, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(comeBackPause):
		}
	}
}

// enterAgain resumes the moderator's session, or joins again if it is over. Somebody of the cast, who comes back by
// themselves, is replaced by another host.
func (m *moderator) enterAgain(ctx context.Context, r *roomClient, former *connection) (s *connection, resumed bool, err error) {
	token := r.hostToken
	if former == m.first {
		if s, err = former.resume(ctx); !driver.Forgotten(err) {
			return s, true, err
		}
	} else if token, err = r.newHost(ctx); err != nil {
		return nil, false, err
	}
	s, err = r.join(ctx, "moderator", scenario.Host, token)
	return s, false, err
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
