package earshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// A connection is one person's WebSocket. Close ends it. Its methods are those of
// [driver.Participant], one for each request, and those that read and write the socket.
//
// While somebody joins, the goroutine that makes a request also reads its answer:
// thousands join within seconds, and being woken by another goroutine would cost them
// most. After that one goroutine reads and passes answers to the waiting requests.
type connection struct {
	driver.UnsupportedParticipant

	conn      *driver.Socket
	driver    *Driver
	turn      *driver.Turn // while joining
	member    string
	helloSent wire.Hello
	room      string
	resumeKey string
	noShows   atomic.Uint64 // guests who did not come, as reported to a host
	revision  uint64        // of the stage, as it was reported when joining

	joining bool        // nobody else has the connection yet
	reading atomic.Bool // somebody reads or has read

	mu       sync.Mutex
	lastID   int
	pending  map[string]chan wire.ServerMessage // requests without an answer yet, by id
	reason   wire.GoodbyeReason
	moved    bool   // the server has said where the room is now
	presence []byte // the last presence message, as received; nil: none
	closed   bool
	mediaEnd func(driver.Media) // see OnMediaClosed; nil: nobody asked
	earMoves func()             // see OnEarMoving; nil: nobody asked
	lost     func(bool)         // see OnLost; the same
	next     *connection        // by which the person has resumed; nil: they have not

	done   chan struct{}
	reader sync.WaitGroup
}

func dial(ctx context.Context, d *Driver, socket string) (*connection, error) {
	turn := driver.TurnOf(ctx)
	turn.Take(ctx)
	conn, resp, err := d.dialer.Dial(ctx, socket, nil)
	if err != nil {
		if resp != nil {
			return nil, fmt.Errorf("open the WebSocket: the server answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
		}
		return nil, fmt.Errorf("open the WebSocket: %w", err)
	}
	return &connection{conn: conn, driver: d, turn: turn, joining: true, pending: map[string]chan wire.ServerMessage{}, done: make(chan struct{})}, nil
}

// startReading starts the reader, unless somebody reads already.
func (s *connection) startReading() {
	if s.reading.CompareAndSwap(false, true) {
		s.startReader()
	}
}

// startReader starts the reader. The caller has set reading.
func (s *connection) startReader() {
	s.turn.End() // the reader's waiting is not the join's
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(s.done)
		return
	}
	s.reader.Go(s.readLoop)
}

// join joins a room.
func (s *connection) join(ctx context.Context, room, name string, role wire.Role, token string) error {
	answer, err := s.enter(ctx, "join", wire.Hello{Version: wire.Version, Token: token, Name: name}, func(id string) wire.Message {
		return wire.Join{ID: id, Room: room, Role: role, Name: name}
	})
	if err != nil {
		return err
	}
	if away, ok := answer.(wire.Redirect); ok {
		return elsewhere{away.URL}
	}
	joined, ok := answer.(wire.Joined)
	if !ok {
		return fmt.Errorf("join: the server answered %q", wire.TypeOf(answer))
	}
	s.member, s.room, s.resumeKey, s.revision = joined.Member, joined.Room, joined.Resume.Key, joined.Rev
	s.joining = false
	return nil
}

// enter says hello and makes the request, called how, by which somebody enters a room. As the page
// does, it does not wait for the first answer before it makes the second request.
func (s *connection) enter(ctx context.Context, how string, hello wire.Hello, request func(id string) wire.Message) (wire.ServerMessage, error) {
	s.helloSent = hello
	sent, err := s.send(func(id string) wire.Message {
		hello.ID = id
		return hello
	}, request)
	if err != nil {
		return nil, err
	}
	greeted, entered := sent[0], sent[1]
	defer s.forget(sent...)
	if _, err := s.await(ctx, greeted); err != nil {
		return nil, fmt.Errorf("say hello: %w", err)
	}
	answer, err := s.await(ctx, entered)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", how, err)
	}
	return answer, nil
}

// Resume implements driver.Participant: it closes the WebSocket without a goodbye and
// resumes on another.
func (s *connection) Resume(ctx context.Context) (driver.Participant, error) {
	next, err := s.resume(ctx)
	if err != nil {
		return nil, err
	}
	return next, nil
}

// resume is Resume.
func (s *connection) resume(ctx context.Context) (*connection, error) {
	if err := s.Close(); err != nil {
		return nil, err
	}
	return s.driver.follow(s.room, func(socket string) (*connection, error) { return resumeAt(ctx, s, socket) })
}

// resumeAt resumes a session that is closed at another WebSocket.
func resumeAt(ctx context.Context, s *connection, socket string) (*connection, error) {
	next, err := dial(ctx, s.driver, socket)
	if err != nil {
		return nil, err
	}
	answer, err := next.enter(ctx, "resume", s.helloSent, func(id string) wire.Message {
		return wire.Resume{ID: id, Room: s.room, Member: s.member, Key: s.resumeKey, Rev: s.lastRevision()}
	})
	if err != nil {
		return nil, errors.Join(err, next.Close())
	}
	if away, ok := answer.(wire.Redirect); ok {
		return nil, errors.Join(elsewhere{away.URL}, next.Close())
	}
	resumed, ok := answer.(wire.Resumed)
	if !ok {
		return nil, errors.Join(fmt.Errorf("resume: the server answered %q", wire.TypeOf(answer)), next.Close())
	}
	next.member, next.room, next.resumeKey, next.revision = resumed.Member, resumed.Room, resumed.Resume.Key, resumed.Rev
	next.noShows.Store(s.noShows.Load())
	s.mu.Lock()
	next.mediaEnd, next.earMoves = s.mediaEnd, s.earMoves
	s.next = next
	s.mu.Unlock()
	next.joining = false
	next.startReading()
	return next, nil
}

// lastRevision returns the last revision of the stage that the server reported.
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

// Listen implements driver.Participant.
func (s *connection) Listen(ctx context.Context, offer string) (string, error) {
	return s.offer(ctx, wire.Offer{Media: wire.MediaEar, SDP: offer})
}

// Publish implements driver.Participant.
func (s *connection) Publish(ctx context.Context, offer string) (string, error) {
	return s.offer(ctx, wire.Offer{Media: wire.MediaMic, SDP: offer})
}

func (s *connection) offer(ctx context.Context, offer wire.Offer) (string, error) {
	media := offer.Media
	answer, err := s.request(ctx, func(id string) wire.Message {
		offer.ID = id
		return offer
	})
	if err != nil {
		return "", fmt.Errorf("offer the %s: %w", media, err)
	}
	a, ok := answer.(wire.Answer)
	if !ok {
		return "", fmt.Errorf("offer the %s: the server answered %q", media, wire.TypeOf(answer))
	}
	return a.SDP, nil
}

// RestartICE implements driver.Participant.
func (s *connection) RestartICE(ctx context.Context, of driver.Media, fragment string) (string, error) {
	answer, err := s.request(ctx, func(id string) wire.Message {
		return wire.RestartICE{ID: id, Media: wire.Media(of), Fragment: fragment}
	})
	if err != nil {
		return "", fmt.Errorf("restart ICE of the %s: %w", of, err)
	}
	restarted, ok := answer.(wire.ICERestarted)
	if !ok {
		return "", fmt.Errorf("restart ICE of the %s: the server answered %q", of, wire.TypeOf(answer))
	}
	return restarted.Fragment, nil
}

// OnMediaClosed implements driver.Participant.
func (s *connection) OnMediaClosed(closed func(of driver.Media)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mediaEnd = closed
}

// OnEarMoving implements driver.Participant.
func (s *connection) OnEarMoving(moving func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.earMoves = moving
}

// OnLost implements driver.Participant.
func (s *connection) OnLost(lost func(moved bool)) {
	s.mu.Lock()
	s.lost = lost
	s.mu.Unlock()
	select {
	case <-s.done: // it was lost before
		s.tellLost()
	default:
	}
}

// latest returns the connection that the person has now.
func (s *connection) latest() *connection {
	for {
		s.mu.Lock()
		next := s.next
		s.mu.Unlock()
		if next == nil {
			return s
		}
		s = next
	}
}

// isLost reports whether the connection has ended, and the person is not out.
func (s *connection) isLost() bool {
	select {
	case <-s.done:
	default:
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mayComeBack()
}

// mayComeBack reports whether the person is not out for good, by what the server said. s.mu is held.
func (s *connection) mayComeBack() bool {
	return s.reason == "" || s.reason == wire.GoodbyeShutdown || s.reason == wire.GoodbyeMoved
}

// tellLost tells who asked that the connection has ended, once, unless the person is out.
func (s *connection) tellLost() {
	s.mu.Lock()
	lost, moved := s.lost, s.moved
	s.lost = nil
	if s.closed || !s.mayComeBack() {
		lost = nil
	}
	s.mu.Unlock()
	if lost != nil {
		lost(moved)
	}
}

// Leave implements driver.Participant.
func (s *connection) Leave(ctx context.Context) error {
	_, err := s.request(ctx, func(id string) wire.Message { return wire.Leave{ID: id} })
	if errors.Is(err, errConnectionClosed) {
		err = nil // the server ended it
	}
	return errors.Join(err, s.Close())
}

// Done implements driver.Participant.
func (s *connection) Done() <-chan struct{} {
	s.startReading()
	return s.done
}

var errConnectionClosed = errors.New("the connection has ended")

// A sentRequest waits for its answer. Who has sent it forgets it in the end.
type sentRequest struct {
	id     string
	answer chan wire.ServerMessage // holds one
}

// request sends a request and waits for its answer. It returns a [wire.Error] if the
// server refuses.
func (s *connection) request(ctx context.Context, request func(id string) wire.Message) (wire.ServerMessage, error) {
	sent, err := s.send(request)
	if err != nil {
		return nil, err
	}
	defer s.forget(sent[0])
	return s.await(ctx, sent[0])
}

// send sends requests, all at once.
func (s *connection) send(requests ...func(id string) wire.Message) ([]sentRequest, error) {
	all, messages := make([]sentRequest, len(requests)), make([][]byte, len(requests))
	for i, request := range requests {
		r := sentRequest{answer: make(chan wire.ServerMessage, 1)}
		s.mu.Lock()
		s.lastID++
		r.id = strconv.Itoa(s.lastID)
		s.pending[r.id] = r.answer
		s.mu.Unlock()
		all[i] = r
		data, err := wire.Encode(request(r.id))
		if err != nil {
			s.forget(all[:i+1]...)
			return nil, err
		}
		messages[i] = data
	}
	if err := s.write(messages...); err != nil {
		s.forget(all...)
		return nil, err
	}
	return all, nil
}

// write sends messages.
func (s *connection) write(messages ...[]byte) error {
	err := s.conn.Write(messages...)
	if err == nil {
		return nil
	}
	select {
	case <-s.done:
		return s.closedError()
	default:
		return fmt.Errorf("write to the WebSocket: %w", err)
	}
}

// forget drops requests: their answers are nobody's.
func (s *connection) forget(all ...sentRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range all {
		delete(s.pending, r.id)
	}
}

// await waits for the answer to a request. It returns a [wire.Error] if the server refuses.
func (s *connection) await(ctx context.Context, r sentRequest) (wire.ServerMessage, error) {
	if s.joining || s.reading.CompareAndSwap(false, true) {
		s.readUntil(ctx, r.answer)
	}
	select {
	case m := <-r.answer:
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

// readUntil reads in this goroutine until the answer has come or the connection has
// ended. The connection ends with ctx, since a WebSocket can't be used after a read
// was interrupted. Unless somebody is still joining, the connection's own goroutine
// reads from then on.
func (s *connection) readUntil(ctx context.Context, answer <-chan wire.ServerMessage) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // fails only if the connection has
	})
	ended := false
	for len(answer) == 0 && !ended {
		ended = !s.readMessage()
	}
	if !stop() {
		<-interrupted
		_ = s.conn.SetReadDeadline(time.Time{}) // the answer came first
	}
	switch {
	case ended:
		close(s.done)
		s.tellLost()
	case !s.joining:
		s.startReader()
	}
}

// requestOK makes a request whose answer is ok.
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

// readLoop handles messages until the connection ends.
func (s *connection) readLoop() {
	for s.readMessage() {
	}
	close(s.done)
	s.tellLost()
}

// readMessage reads and handles one message. It reports whether the connection still
// works. One goroutine at a time calls it.
func (s *connection) readMessage() bool {
	return s.conn.Read(func(message []byte) error {
		s.handleMessage(message)
		return nil
	}) == nil
}

// What the server sends to everybody again and again begins like this.
const (
	presencePrefix = `{"type":"presence"`
	talkersPrefix  = `{"type":"talkers"`
)

// handleMessage handles a message. Thousands receive presence and talkers, so that
// talkers are dropped and presence is kept undecoded until it is needed.
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
	case wire.Presence: // with its fields in another order
		s.presence = append(s.presence[:0], data...)
	case wire.GuestLapsed:
		s.noShows.Add(1)
	case wire.MediaClosed:
		if s.mediaEnd != nil && m.Reason == wire.CloseLost {
			s.mediaEnd(driver.Media(m.Media))
		}
	case wire.Redirect:
		if m.Reason == wire.RedirectMoved {
			s.moved = true
			s.driver.moved.Store(s.room, m.URL)
		}
	case wire.MediaMoving:
		if s.earMoves != nil && m.Media == wire.MediaEar {
			s.earMoves()
		}
	}
	if answer := s.pending[wire.RequestID(m)]; answer != nil {
		delete(s.pending, wire.RequestID(m))
		answer <- m // the channel holds one
	}
}

// Close closes the WebSocket, if it is not closed yet, and waits for its reader.
func (s *connection) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.conn.Close()
	s.reader.Wait()
	return err
}
