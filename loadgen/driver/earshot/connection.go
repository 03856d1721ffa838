package earshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/signaling/wire"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 5 * time.Second
)

// A session is one person's WebSocket; Close ends it.
//
// While somebody comes in, whoever asks reads the answer themselves: thousands do
// so within seconds, and to be woken by another goroutine is what costs them
// most. After that one goroutine reads, and hands the answers to who waits for
// them.
type connection struct {
	conn      *websocket.Conn
	driver    *Driver
	member    string
	helloSent wire.Hello
	room      string
	resumeKey string        // to resume with
	noShows   atomic.Uint64 // guests who did not come, as far as a host was told
	revision  uint64        // the last change of the stage that was told with the room

	joining bool        // nobody else has the session yet
	reading atomic.Bool // there is somebody who reads, or has read

	mu       sync.Mutex
	writeMu  sync.Mutex
	lastID   int
	pending  map[string]chan wire.ServerMessage
	reason   wire.GoodbyeReason
	presence []byte // the last presence that was told, as it came; nil: none
	closed   bool

	done   chan struct{}
	reader sync.WaitGroup
}

func dial(ctx context.Context, d *Driver) (*connection, error) {
	conn, resp, err := d.dialer.DialContext(ctx, d.socket, nil)
	if err != nil {
		if resp != nil {
			return nil, fmt.Errorf("open the WebSocket: the server answered %s", resp.Status)
		}
		return nil, fmt.Errorf("open the WebSocket: %w: %w", driver.ErrUnreachable, err)
	}
	conn.SetReadLimit(wire.MaxMessage)
	return &connection{conn: conn, driver: d, joining: true, pending: map[string]chan wire.ServerMessage{}, done: make(chan struct{})}, nil
}

// attend has the session read from now on, unless it is read already.
func (s *connection) startReading() {
	if s.reading.CompareAndSwap(false, true) {
		s.startReader()
	}
}

// begin starts the session's reader, for whoever has taken the reading.
func (s *connection) startReader() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(s.done)
		return
	}
	s.reader.Go(s.readLoop)
}

// join says hello and joins a room.
func (s *connection) join(ctx context.Context, room, name string, role wire.Role, token string) error {
	if err := s.sendHello(ctx, wire.Hello{Version: wire.Version, Token: token, Name: name}); err != nil {
		return err
	}
	answer, err := s.request(ctx, func(id string) wire.Message {
		return wire.Join{ID: id, Room: room, Role: role, Name: name}
	})
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	joined, ok := answer.(wire.Joined)
	if !ok {
		return fmt.Errorf("join: the server answered %q", answer.Type())
	}
	s.member, s.room, s.resumeKey, s.revision = joined.Member, joined.Room, joined.Resume.Key, joined.Rev
	s.joining = false
	return nil
}

func (s *connection) sendHello(ctx context.Context, hello wire.Hello) error {
	s.helloSent = hello
	_, err := s.request(ctx, func(id string) wire.Message {
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
func (s *connection) Resume(ctx context.Context) (driver.Participant, error) {
	if err := s.Close(); err != nil {
		return nil, err
	}
	next, err := dial(ctx, s.driver)
	if err != nil {
		return nil, err
	}
	if err := next.sendHello(ctx, s.helloSent); err != nil {
		return nil, errors.Join(err, next.Close())
	}
	answer, err := next.request(ctx, func(id string) wire.Message {
		return wire.Resume{ID: id, Room: s.room, Member: s.member, Key: s.resumeKey, Rev: s.lastRevision()}
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("resume: %w", err), next.Close())
	}
	resumed, ok := answer.(wire.Resumed)
	if !ok {
		return nil, errors.Join(fmt.Errorf("resume: the server answered %q", answer.Type()), next.Close())
	}
	next.member, next.room, next.resumeKey, next.revision = resumed.Member, resumed.Room, resumed.Resume.Key, resumed.Rev
	next.noShows.Store(s.noShows.Load())
	next.joining = false
	next.startReading()
	return next, nil
}

// told is the last change of the stage that the server has told.
func (s *connection) lastRevision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, err := wire.DecodeServer(s.presence); err == nil {
		if p, ok := m.(wire.Presence); ok {
			return p.Rev
		}
	}
	return s.revision
}

// Listen implements Visit.
func (s *connection) Listen(ctx context.Context, offer string) (string, error) {
	return s.offer(ctx, wire.MediaEar, offer)
}

// Publish implements Visit.
func (s *connection) Publish(ctx context.Context, offer string) (string, error) {
	return s.offer(ctx, wire.MediaMic, offer)
}

func (s *connection) offer(ctx context.Context, media wire.Media, offer string) (string, error) {
	answer, err := s.request(ctx, func(id string) wire.Message { return wire.Offer{ID: id, Media: media, SDP: offer} })
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
func (s *connection) Leave(ctx context.Context) error {
	_, err := s.request(ctx, func(id string) wire.Message { return wire.Leave{ID: id} })
	if errors.Is(err, errConnectionClosed) {
		err = nil // it was ended from the other side
	}
	return errors.Join(err, s.Close())
}

// Gone implements Visit.
func (s *connection) Done() <-chan struct{} {
	s.startReading()
	return s.done
}

var errConnectionClosed = errors.New("the session has ended")

// ask sends a request and waits for its answer; a refusal is a [wire.Error].
func (s *connection) request(ctx context.Context, request func(id string) wire.Message) (wire.ServerMessage, error) {
	answer := make(chan wire.ServerMessage, 1)
	s.mu.Lock()
	s.lastID++
	id := strconv.Itoa(s.lastID)
	s.pending[id] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.pending, id)
		s.mu.Unlock()
	}()

	data, err := wire.Encode(request(id))
	if err != nil {
		return nil, err
	}
	if err := s.write(data); err != nil {
		select {
		case <-s.done:
			return nil, s.closedError()
		default:
			return nil, fmt.Errorf("write to the WebSocket: %w", err)
		}
	}
	if s.joining || s.reading.CompareAndSwap(false, true) {
		s.readUntil(ctx, answer)
	}
	select {
	case m := <-answer:
		if refusal, ok := m.(wire.Error); ok {
			return nil, refusal
		}
		return m, nil
	case <-s.done:
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, s.closedError()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// readUntil reads here until the answer is there or the session has ended. It ends
// when ctx is done, since a WebSocket is of no use after a read that was given up.
// Unless somebody is still coming in, the session's own goroutine reads on.
func (s *connection) readUntil(ctx context.Context, answer <-chan wire.ServerMessage) {
	given := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(given)
		_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // it fails with the connection
	})
	ended := false
	for len(answer) == 0 && !ended {
		ended = !s.readMessage()
	}
	if !stop() {
		<-given
		_ = s.conn.SetReadDeadline(time.Time{}) // the answer was faster
	}
	switch {
	case ended:
		close(s.done)
	case !s.joining:
		s.startReader()
	}
}

// do makes a request that is answered with ok.
func (s *connection) requestOK(ctx context.Context, request func(id string) wire.Message) error {
	_, err := s.request(ctx, request)
	return err
}

func (s *connection) closedError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == "" {
		return errConnectionClosed
	}
	return fmt.Errorf("%w: %s", errConnectionClosed, s.reason)
}

func (s *connection) write(data []byte) error {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return s.conn.WriteMessage(websocket.TextMessage, data)
}

// read takes what the server sends until the connection ends.
func (s *connection) readLoop() {
	defer close(s.done)
	for s.readMessage() {
	}
}

// take takes one message; false if the connection has ended. One goroutine at a
// time calls it.
func (s *connection) readMessage() bool {
	_, r, err := s.conn.NextReader()
	if err != nil {
		return false
	}
	b, ok := s.driver.messages.Get().(*bytes.Buffer)
	if !ok {
		b = new(bytes.Buffer)
	}
	defer s.driver.messages.Put(b)
	b.Reset()
	if _, err := b.ReadFrom(r); err != nil {
		return false
	}
	s.handleMessage(b.Bytes())
	return true
}

// What the server tells everybody over and over begins like this, as it writes it.
const (
	presencePrefix = `{"type":"presence"`
	talkersPrefix  = `{"type":"talkers"`
)

// heed takes a message. What answers no request and tells nothing that the load
// goes by is let go, and presence is kept as it is until somebody asks for it:
// there are thousands who are told.
func (s *connection) handleMessage(data []byte) {
	switch {
	case bytes.HasPrefix(data, []byte(talkersPrefix)):
		return
	case bytes.HasPrefix(data, []byte(presencePrefix)):
		s.mu.Lock()
		s.presence = append(s.presence[:0], data...)
		s.mu.Unlock()
		return
	}
	m, err := wire.DecodeServer(data)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m := m.(type) {
	case wire.Goodbye:
		s.reason = m.Reason
	case wire.Presence: // of a server that writes it otherwise
		s.presence = append(s.presence[:0], data...)
	case wire.GuestLapsed:
		s.noShows.Add(1)
	}
	if answer := s.pending[m.RequestID()]; answer != nil {
		delete(s.pending, m.RequestID())
		answer <- m // it has room for one
	}
}

// Close closes the WebSocket and waits for its reader.
func (s *connection) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.conn.Close()
	s.reader.Wait()
	return err
}
