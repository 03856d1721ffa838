package driver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Signaling is what a client has learned by a signaling connection so far, for those who wait for
// more of it. The zero value has learned nothing.
//
// Its mutex guards its own fields, and what the connection keeps beside it: the functions that Await
// and Change are given run with it held, so they must not block and must not call a method of the
// Signaling. Hold it to read what they read and write. All methods but Lock and Unlock take it
// themselves, and may be called from any goroutine.
type Signaling struct {
	sync.Mutex
	changed    chan struct{} // nil: nobody waits; closed at the next change
	ended      error         // why, once it has
	candidates []string      // of the server, as values of attributes
	last       bool          // there are no more
	timer      *time.Timer   // of Every; nil if there is none
}

// Await waits until something is so. It fails with the reason if the connection has ended before that, and
// with ctx's error if ctx has.
func (s *Signaling) Await(ctx context.Context, is func() bool) error {
	for {
		changed, err := s.look(is)
		if changed == nil || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look returns nil if something is so, else what is closed at the next change.
func (s *Signaling) look(is func() bool) (<-chan struct{}, error) {
	s.Lock()
	defer s.Unlock()
	switch {
	case is():
		return nil, nil
	case s.ended != nil:
		return nil, s.ended
	case s.changed == nil:
		s.changed = make(chan struct{})
	}
	return s.changed, nil
}

// Change changes what Await waits for.
func (s *Signaling) Change(do func()) {
	s.Lock()
	defer s.Unlock()
	do()
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Every does something again and again, each time so long after the last as after says, until the
// connection has ended or do fails. There is one such thing: a second is not begun. do may call any method.
func (s *Signaling) Every(after func() time.Duration, do func() error) {
	s.Lock()
	defer s.Unlock()
	if s.ended == nil && s.timer == nil {
		s.timer = time.AfterFunc(after(), func() {
			if do() == nil {
				s.again(after())
			}
		})
	}
}

func (s *Signaling) again(after time.Duration) {
	s.Lock()
	defer s.Unlock()
	if s.ended == nil {
		s.timer.Reset(after)
	}
}

// End says why the connection, or the presence that it stands for, has ended. The first reason counts.
func (s *Signaling) End(why error) {
	s.Change(func() {
		if s.ended == nil {
			s.ended = why
		}
		if s.timer != nil {
			s.timer.Stop()
		}
	})
}

// ErrLeft is the end of a connection that the client closes.
var ErrLeft = errors.New("the client has left")

// Ended returns why it has ended; nil if it has not.
func (s *Signaling) Ended() error {
	s.Lock()
	defer s.Unlock()
	return s.ended
}

// AddCandidate takes a candidate of the server's, an attribute without "a="; "" is none, and so is what has several
// lines, which would put others into a client's SDP. last means that no more come.
func (s *Signaling) AddCandidate(attribute string, last bool) {
	s.Change(func() {
		if attribute != "" && !strings.ContainsAny(attribute, "\r\n") {
			s.candidates = append(s.candidates, attribute)
		}
		s.last = s.last || last
	})
}

// Candidates returns the server's candidates so far.
func (s *Signaling) Candidates() []string {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.candidates)
}

// CandidateLines returns the lines of SDP that the candidates so far are.
func (s *Signaling) CandidateLines() string {
	var b strings.Builder
	for _, attribute := range s.Candidates() {
		fmt.Fprintf(&b, "a=%s\r\n", attribute)
	}
	return b.String()
}

// AwaitLastCandidate waits until the server has said that no more come.
func (s *Signaling) AwaitLastCandidate(ctx context.Context) error {
	return s.Await(ctx, func() bool { return s.last })
}

// Trickle waits until there is a candidate, and returns the lines of all that there are. It is
// [Participant.Trickle] for servers that learn a client's address from its checks, so that what the
// client has to say need not be sent.
func (s *Signaling) Trickle(ctx context.Context) (string, error) {
	if err := s.Await(ctx, func() bool { return len(s.candidates) > 0 }); err != nil {
		return "", err
	}
	return s.CandidateLines(), nil
}
