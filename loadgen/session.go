package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/signaling/wire"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 5 * time.Second
)

// A session is one person's WebSocket. One goroutine reads it and hands the
// answers to who waits for them; Close ends it.
type session struct {
	conn   *websocket.Conn
	driver *Earshot
	member string
	hello  wire.Hello
	room   string
	key    string        // to resume with
	lapsed atomic.Uint64 // guests who did not come, as far as a host was told
	rev    atomic.Uint64 // the last change of the stage that was told

	mu      sync.Mutex
	writing sync.Mutex
	last    int
	waiting map[string]chan wire.ServerMessage
	reason  wire.GoodbyeReason

	gone   chan struct{}
	reader sync.WaitGroup
}

func dialSession(ctx context.Context, d *Earshot) (*session, error) {
	u := *d.base
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	u.Path, _ = url.JoinPath(u.Path, "/ws")
	conn, resp, err := d.dialer.DialContext(ctx, u.String(), nil)
	if err != nil {
		if resp != nil {
			return nil, fmt.Errorf("open the WebSocket: the server answered %s", resp.Status)
		}
		return nil, fmt.Errorf("open the WebSocket: %w: %w", ErrUnreachable, err)
	}
	conn.SetReadLimit(wire.MaxMessage)
	s := &session{conn: conn, driver: d, waiting: map[string]chan wire.ServerMessage{}, gone: make(chan struct{})}
	s.reader.Go(s.read)
	return s, nil
}

// join says hello and joins a room.
func (s *session) join(ctx context.Context, room, name string, role wire.Role, token string) error {
	if err := s.greet(ctx, wire.Hello{Version: wire.Version, Token: token, Name: name}); err != nil {
		return err
	}
	answer, err := s.ask(ctx, func(id string) wire.Message {
		return wire.Join{ID: id, Room: room, Role: role, Name: name}
	})
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	joined, ok := answer.(wire.Joined)
	if !ok {
		return fmt.Errorf("join: the server answered %q", answer.Type())
	}
	s.member, s.room, s.key = joined.Member, joined.Room, joined.Resume.Key
	s.rev.Store(joined.Rev)
	return nil
}

func (s *session) greet(ctx context.Context, hello wire.Hello) error {
	s.hello = hello
	_, err := s.ask(ctx, func(id string) wire.Message {
		hello.ID = id
		return hello
	})
	if err != nil {
		return fmt.Errorf("say hello: %w", err)
	}
	return nil
}

// Resume cuts the WebSocket without a word and takes the session up again on
// another.
func (s *session) Resume(ctx context.Context) (Visit, error) {
	if err := s.Close(); err != nil {
		return nil, err
	}
	next, err := dialSession(ctx, s.driver)
	if err != nil {
		return nil, err
	}
	if err := next.greet(ctx, s.hello); err != nil {
		return nil, errors.Join(err, next.Close())
	}
	answer, err := next.ask(ctx, func(id string) wire.Message {
		return wire.Resume{ID: id, Room: s.room, Member: s.member, Key: s.key, Rev: s.rev.Load()}
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("resume: %w", err), next.Close())
	}
	resumed, ok := answer.(wire.Resumed)
	if !ok {
		return nil, errors.Join(fmt.Errorf("resume: the server answered %q", answer.Type()), next.Close())
	}
	next.member, next.room, next.key = resumed.Member, resumed.Room, resumed.Resume.Key
	next.rev.Store(resumed.Rev)
	next.lapsed.Store(s.lapsed.Load())
	return next, nil
}

// Listen implements Visit.
func (s *session) Listen(ctx context.Context, offer string) (string, error) {
	return s.exchange(ctx, wire.MediaEar, offer)
}

// Publish implements Visit.
func (s *session) Publish(ctx context.Context, offer string) (string, error) {
	return s.exchange(ctx, wire.MediaMic, offer)
}

func (s *session) exchange(ctx context.Context, media wire.Media, offer string) (string, error) {
	answer, err := s.ask(ctx, func(id string) wire.Message { return wire.Offer{ID: id, Media: media, SDP: offer} })
	if err != nil {
		return "", fmt.Errorf("offer the %s: %w", media, err)
	}
	a, ok := answer.(wire.Answer)
	if !ok {
		return "", fmt.Errorf("offer the %s: the server answered %q", media, answer.Type())
	}
	return a.SDP, nil
}

// Leave implements Visit.
func (s *session) Leave(ctx context.Context) error {
	_, err := s.ask(ctx, func(id string) wire.Message { return wire.Leave{ID: id} })
	if errors.Is(err, errGone) {
		err = nil // it was ended from the other side
	}
	return errors.Join(err, s.Close())
}

// Gone implements Visit.
func (s *session) Gone() <-chan struct{} { return s.gone }

var errGone = errors.New("the session has ended")

// ask sends a request and waits for its answer; a refusal is a [wire.Error].
func (s *session) ask(ctx context.Context, request func(id string) wire.Message) (wire.ServerMessage, error) {
	answer := make(chan wire.ServerMessage, 1)
	s.mu.Lock()
	s.last++
	id := strconv.Itoa(s.last)
	s.waiting[id] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, id)
		s.mu.Unlock()
	}()

	data, err := wire.Encode(request(id))
	if err != nil {
		return nil, err
	}
	if err := s.write(data); err != nil {
		select {
		case <-s.gone:
			return nil, s.farewell()
		default:
			return nil, fmt.Errorf("write to the WebSocket: %w", err)
		}
	}
	select {
	case m := <-answer:
		if refusal, ok := m.(wire.Error); ok {
			return nil, refusal
		}
		return m, nil
	case <-s.gone:
		return nil, s.farewell()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// do makes a request that is answered with ok.
func (s *session) do(ctx context.Context, request func(id string) wire.Message) error {
	_, err := s.ask(ctx, request)
	return err
}

func (s *session) farewell() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == "" {
		return errGone
	}
	return fmt.Errorf("%w: %s", errGone, s.reason)
}

func (s *session) write(data []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return s.conn.WriteMessage(websocket.TextMessage, data)
}

// read takes what the server sends until the connection ends. What answers no
// request (presence, talkers) is read and let go, as it would cost a real
// client its reading.
func (s *session) read() {
	defer close(s.gone)
	for {
		_, data, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		m, err := wire.DecodeServer(data)
		if err != nil {
			continue
		}
		switch m := m.(type) {
		case wire.Goodbye:
			s.mu.Lock()
			s.reason = m.Reason
			s.mu.Unlock()
		case wire.Presence:
			s.rev.Store(m.Rev)
		case wire.GuestLapsed:
			s.lapsed.Add(1)
		}
		s.mu.Lock()
		answer := s.waiting[m.RequestID()]
		delete(s.waiting, m.RequestID())
		s.mu.Unlock()
		if answer != nil {
			answer <- m
		}
	}
}

// Close closes the WebSocket and waits for its reader.
func (s *session) Close() error {
	err := s.conn.Close()
	s.reader.Wait()
	return err
}
