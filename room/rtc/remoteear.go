package rtc

import (
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// RemoteEar is an ear of a room of this server that another server has opened and serves.
// It is a [Session] whose packets are none of this server's.
type RemoteEar struct {
	id    string
	room  *MediaRoom
	order RemoteOrder

	mu     sync.Mutex
	remote sdp.Credentials // the client's
	answer string
	reason error
	onEnd  func()
	onMove func()
	moving bool
	done   chan struct{}
}

// RemoteOrder is how a [RemoteEar] is controlled. Close and SetOwner must not block. They may
// be called with locks held, and Close more than once.
type RemoteOrder struct {
	Close    func()
	SetOwner func(talker uint32)
	// Restart restarts ICE, as [Session] says.
	Restart func(fragment string) (string, error)
}

// NewRemoteEar reads the offer of a client that wants to listen, for another server to
// answer. Errors are as for [MediaRoom.OpenEar]. [RemoteEar.Answered] completes it, or
// [RemoteEar.Lost] ends it. It ends with the room, too.
func (r *MediaRoom) NewRemoteEar(offerSDP string) (*RemoteEar, error) {
	o, err := sdp.ReadOffer(offerSDP, sdp.ClientReceives, r.router.Slots())
	if err != nil {
		return nil, err
	}
	e := &RemoteEar{id: rand.Text(), room: r, remote: o.ICE, done: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fmt.Errorf("room: %w", ErrClosed)
	}
	r.remote[e] = struct{}{}
	return e, nil
}

// Answered gives the ear the other server's answer, and how to control it. It is called once.
func (e *RemoteEar) Answered(answer string, order RemoteOrder) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer, e.order = answer, order
}

// ID implements Session.
func (e *RemoteEar) ID() string { return e.id }

// Answer implements Session.
func (e *RemoteEar) Answer() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.answer
}

// ReleaseAnswer implements Session.
func (e *RemoteEar) ReleaseAnswer() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = ""
}

// Done implements Session.
func (e *RemoteEar) Done() <-chan struct{} { return e.done }

// OnEnd implements Session.
func (e *RemoteEar) OnEnd(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reason != nil {
		go f()
		return
	}
	e.onEnd = f
}

// OnMove sets the function that is called, in a goroutine of its own, when the ear is to be opened
// elsewhere, because its server will stop; at once, if it is already.
func (e *RemoteEar) OnMove(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.moving {
		go f()
		return
	}
	e.onMove = f
}

// Move says that the server which has the ear will stop. The ear goes on until then.
func (e *RemoteEar) Move() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.moving {
		return
	}
	e.moving = true
	if e.onMove != nil {
		go e.onMove()
	}
}

// Reason implements Session.
func (e *RemoteEar) Reason() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reason
}

// AddCandidate implements Session.
func (e *RemoteEar) AddCandidate(fragment string) error {
	if e.Reason() != nil {
		return fmt.Errorf("session: %w", ErrClosed)
	}
	return checkFragment(fragment, e.ICE())
}

// ICE implements Session.
func (e *RemoteEar) ICE() sdp.Credentials {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.remote
}

// Restart implements Session: the other server does it.
func (e *RemoteEar) Restart(fragment string) (string, error) {
	f, err := checkRestart(fragment)
	if err != nil {
		return "", err
	}
	remote := f.ICE.Clone()
	switch {
	case e.Reason() != nil:
		return "", fmt.Errorf("session: %w", ErrClosed)
	case remote == e.ICE():
		return "", errSameICE
	}
	answer, err := e.order.Restart(fragment)
	if err != nil {
		return "", fmt.Errorf("restart ICE at another server: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remote = remote
	return answer, nil
}

// SetOwner sets whose ear it is, as [Ear.SetOwner].
func (e *RemoteEar) SetOwner(talker uint32) { e.order.SetOwner(talker) }

// Detach implements Session: the other server is told.
func (e *RemoteEar) Detach() { e.order.Close() }

// Close implements Session. It does not wait for the other server.
func (e *RemoteEar) Close() error {
	e.order.Close()
	e.end(ErrClosed)
	return nil
}

// Lost ends the ear, because it has ended at the other server, or with it.
func (e *RemoteEar) Lost() { e.end(ErrConsentLost) }

func (e *RemoteEar) end(reason error) {
	e.room.mu.Lock()
	delete(e.room.remote, e)
	e.room.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reason != nil {
		return
	}
	e.reason = reason
	close(e.done)
	if e.onEnd != nil {
		go e.onEnd()
	}
}

// Stats implements Session. The figures are the other server's: all are zero.
func (e *RemoteEar) Stats() Stats { return Stats{} }
