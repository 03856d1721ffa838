package rtc

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// Session is a mic or an ear. All methods may be called from any goroutine.
type Session interface {
	// ID is a name that can't be guessed.
	ID() string
	// Answer is the SDP answer to the offer; empty after ReleaseAnswer.
	Answer() string
	// ReleaseAnswer frees the answer: it is long, and a session may last for hours.
	ReleaseAnswer()
	// Done is closed when the session has ended, for whatever reason. From then
	// on no packet passes in either direction.
	Done() <-chan struct{}
	// OnEnd sets the function that is called, in a goroutine of its own, once Done
	// is closed; at once, if it is already.
	OnEnd(f func())
	// Reason is why the session has ended: ErrClosed, ErrHangup,
	// ErrConsentLost, ErrNeverConnected, ErrHandshake or ErrTooManySources. It is nil before Done.
	Reason() error
	// AddCandidate takes a trickle-ICE fragment of the client (RFC 8840). It is
	// checked, and has no effect: see ErrBadFragment and ErrRestart.
	AddCandidate(fragment string) error
	// ICE are the client's credentials in the present ICE session.
	ICE() sdp.Credentials
	// Restart begins another ICE session (RFC 8445, section 9) with the client's
	// credentials in a fragment, and returns the fragment with this side's. The
	// connection, the seat and all that is heard go on: the old ICE session holds until
	// the client uses the new one. On an error (see ErrBadFragment) it goes on alone.
	Restart(fragment string) (string, error)
	// Detach stops packets in either direction, but for one that is under way. It
	// does not wait, and may be called with any lock held. Close has to follow.
	Detach()
	// Close ends the session and notifies the client (DTLS close_notify). It waits
	// until everything is stopped, and may be called more than once.
	Close() error
	// Stats reads the session's figures.
	Stats() Stats
}

// Stats are a session's figures since it was opened.
type Stats struct {
	// Connected is true once ICE and DTLS have completed.
	Connected bool
	// Packets and Bytes count media: what a mic received and what an ear sent,
	// without RTP headers.
	Packets, Bytes uint64
	// Reports counts the RTCP packets from the client.
	Reports uint64
	// LastCheck is when the last authenticated ICE check came; zero: never.
	LastCheck time.Time
}

// endpoint is this side's end of a session's connection: Pion's, or an ear's lean
// one.
type endpoint interface {
	// stats fills in what the endpoint knows.
	stats(*Stats)
	// disconnect ends the connection, notifies the client, and calls finish when that
	// is done, from any goroutine. It is called once, without locks.
	disconnect(finish func(error))
	// restart begins another ICE session.
	restart(local, remote sdp.Credentials) error
}

// session is what mics and ears have in common.
type session struct {
	id       string
	room     *MediaRoom
	endpoint endpoint
	offer    *sdp.Offer
	opened   time.Time
	// stopMedia takes the session out of the router. When it returns, no packet
	// passes any more.
	stopMedia func()

	connected atomic.Bool
	reports   atomic.Uint64

	mu       sync.Mutex
	remote   sdp.Credentials // of the client
	answer   string
	onEnd    func()
	ended    bool
	reason   error
	done     chan struct{} // closed when no packet passes any more
	finished chan struct{} // closed when the link is gone
	closeErr error
}

func newSession(r *MediaRoom, o *sdp.Offer, e endpoint) *session {
	r.engine.urgent.Add(1) // its client is to come
	return &session{
		id: rand.Text(), room: r, endpoint: e, offer: o, remote: o.ICE, opened: time.Now(),
		done: make(chan struct{}), finished: make(chan struct{}), stopMedia: func() {},
	}
}

// ID implements Session.
func (s *session) ID() string { return s.id }

// Answer implements Session.
func (s *session) Answer() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer
}

// ReleaseAnswer implements Session.
func (s *session) ReleaseAnswer() { s.setAnswer("") }

func (s *session) setAnswer(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = text
}

// Done implements Session.
func (s *session) Done() <-chan struct{} { return s.done }

// OnEnd implements Session.
func (s *session) OnEnd(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		go func() { <-s.done; f() }()
		return
	}
	s.onEnd = f
}

// Reason implements Session.
func (s *session) Reason() error {
	select {
	case <-s.done:
		return s.reason
	default:
		return nil
	}
}

// AddCandidate implements Session.
func (s *session) AddCandidate(fragment string) error {
	select {
	case <-s.done:
		return fmt.Errorf("session: %w", ErrClosed)
	default:
		return checkFragment(fragment, s.ICE())
	}
}

// ICE implements Session.
func (s *session) ICE() sdp.Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote
}

// Restart implements Session.
func (s *session) Restart(fragment string) (string, error) {
	f, err := checkRestart(fragment)
	if err != nil {
		return "", err
	}
	local, remote := sdp.NewCredentials(), f.ICE.Clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return "", fmt.Errorf("session: %w", ErrClosed)
	case remote == s.remote:
		return "", errSameICE
	}
	if err := s.endpoint.restart(local, remote); err != nil {
		return "", fmt.Errorf("restart ICE: %w", err)
	}
	s.remote = remote
	return f.RestartFragment(local, s.room.engine.candidates), nil
}

// errSameICE says that a restart keeps the client's credentials, or has none.
var errSameICE = fmt.Errorf("%w: a restart needs new ICE credentials", ErrBadFragment)

// checkRestart reads the fragment of a restart.
func checkRestart(fragment string) (f sdp.Fragment, err error) {
	f, err = sdp.ParseFragment(fragment)
	switch {
	case err != nil:
		return f, fmt.Errorf("%w: %w", ErrBadFragment, err)
	case f.ICE == (sdp.Credentials{}):
		return f, errSameICE
	case len(f.Sections) == 0:
		return f, fmt.Errorf("%w: a restart names its section: an m= line with its a=mid", ErrBadFragment)
	}
	return f, nil
}

// Close implements Session.
func (s *session) Close() error {
	s.end(ErrClosed)
	<-s.finished
	return s.closeErr
}

// Stats implements Session.
func (s *session) Stats() Stats {
	st := Stats{Connected: s.connected.Load(), Reports: s.reports.Load()}
	s.endpoint.stats(&st)
	return st
}

func (s *session) alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended
}

// end ends the session once; the first reason counts. When it returns to the
// caller who ended it, no packet passes any more; the link is taken down in the
// background, and finished is closed after that.
func (s *session) end(reason error) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.ended = true
	s.reason = reason
	onEnd := s.onEnd
	s.mu.Unlock()

	s.stopMedia()
	close(s.done)
	if onEnd != nil {
		go onEnd()
	}
	s.endpoint.disconnect(func(err error) {
		s.closeErr = err
		s.room.remove(s)
		close(s.finished)
	})
}

// checkFragment reads a trickle-ICE fragment of a client with these credentials.
// An empty one is no error. Its candidates are checked and then forgotten: an
// ICE-lite side sends no checks, and learns the client's addresses from those
// that come in.
func checkFragment(text string, remote sdp.Credentials) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	f, err := sdp.ParseFragment(text)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrBadFragment, err)
	case f.ICE != (sdp.Credentials{}) && f.ICE != remote:
		return ErrRestart
	}
	return nil
}
