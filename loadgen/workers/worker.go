package workers

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/earshot-audio/earshot/internal/reach"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/clock"
	"github.com/earshot-audio/earshot/loadgen/link"
)

// queuedNews is how many messages of the coordinator may wait for the worker: minutes'.
const queuedNews = 1 << 10

// Enrolment is how a worker joins.
type Enrolment struct {
	// URL is the coordinator's, with its token.
	URL string
	// TLS says which certificates to trust beside the system's; nil is those alone.
	TLS *tls.Config
	// Wait is for how long to look for the coordinator.
	Wait time.Duration
	// Name is what reports call the worker, and Secret that of a worker which the
	// coordinator has started itself.
	Name, Secret string
	// Played is the run that the worker has played before, if it joins again.
	Played string
}

var (
	// ErrRefused means that the coordinator does not take the worker.
	ErrRefused = errors.New("the coordinator refuses this worker")
	// ErrNoCoordinator means that there is none.
	ErrNoCoordinator = errors.New("no coordinator was found")

	errLater = errors.New("the next run has not begun")
)

// A Membership is a worker's place in a run. Its run follows with Play.
type Membership struct {
	// Plan is what is played.
	Plan Plan

	conn   *nats.Conn
	id     string
	run    string
	number int
	local  bool
	began  time.Time
	follow *clock.Follower // nil: the clock is the coordinator's

	news        chan link.News
	starts      chan start
	ended       <-chan struct{} // closed when the connection is gone
	reader      *clock.Reader   // of the clock that is followed, from the start
	base        time.Duration   // the offset at the start
	interrupted atomic.Bool     // the run is, and no other follows

	orders orders // of others
}

// Join enrols with the coordinator. The caller closes the membership.
func Join(ctx context.Context, e Enrolment) (*Membership, error) {
	m := &Membership{id: rand.Text(), began: time.Now(), news: make(chan link.News, queuedNews), starts: make(chan start, 1)}
	deadline := time.Now().Add(e.Wait)
	for {
		m.orders.open()
		err := m.enrol(ctx, e)
		if err == nil {
			break
		}
		m.Close()
		if errors.Is(err, ErrRefused) || errors.Is(err, nats.ErrAuthorization) {
			return nil, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w within %v: %w", ErrNoCoordinator, e.Wait, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second / 2):
		}
	}
	if !m.local {
		m.follow = clock.Follow(clock.Over(m.conn, clockSubject(m.run)), clock.OfMachine(m.now))
	}
	if err := m.check(); err != nil {
		m.Fail(err)
		m.Close()
		return nil, err
	}
	return m, nil
}

// Plain reports whether the workers' token, and the target's, come over a network unencrypted.
func (m *Membership) Plain() bool { return reach.Plain(m.conn) }

func (m *Membership) now() time.Duration { return time.Since(m.began) }

func (m *Membership) enrol(ctx context.Context, e Enrolment) (err error) {
	ended := make(chan struct{})
	m.ended = ended
	m.conn, err = nats.Connect(e.URL, append(options(e.TLS, e.URL), nats.ClosedHandler(func(*nats.Conn) { close(ended) }), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
	if err != nil {
		return err
	}
	text, err := json.Marshal(hello{ID: m.id, Protocol: protocol, Build: build(), Name: e.Name, Host: hostName(), Machine: machine(), PID: os.Getpid(), CPUs: runtime.GOMAXPROCS(0), Local: e.Secret, Played: e.Played})
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	answer, err := m.conn.RequestWithContext(asking, enrolSubject, text)
	if err != nil {
		return err
	}
	var w welcome
	if err := json.Unmarshal(answer.Data, &w); err != nil {
		return err
	}
	if w.Later {
		return errLater
	}
	if w.Refused != "" {
		return fmt.Errorf("%w: %s", ErrRefused, w.Refused)
	}
	if w.Plan == nil || w.Plan.Scenario == nil {
		return fmt.Errorf("%w: it has no plan", ErrRefused)
	}
	m.Plan, m.run, m.number, m.local = *w.Plan, w.Run, w.Number, w.Local
	if _, err = m.conn.Subscribe(downSubject(m.run), m.hear); err != nil {
		return err
	}
	return m.conn.FlushWithContext(asking) // from now on it hears the coordinator
}

// check returns an error for a plan that this worker can't play.
func (m *Membership) check() error {
	if err := m.Plan.Scenario.Validate(); err != nil {
		return fmt.Errorf("the coordinator's scenario: %w", err)
	}
	own, err := audioDigests(m.Plan.Scenario)
	if err != nil {
		return fmt.Errorf("the scenario's audio, which has to be on each worker under the same path: %w", err)
	}
	for path, digest := range m.Plan.Audio {
		if own[path] != digest {
			return fmt.Errorf("%w: the audio file %s is another than the coordinator's", ErrRefused, path)
		}
	}
	return nil
}

// hear takes the coordinator's message.
func (m *Membership) hear(msg *nats.Msg) {
	var got message
	if json.Unmarshal(msg.Data, &got) != nil {
		return // its number will be missing
	}
	if got.Start != nil {
		select {
		case m.starts <- *got.Start:
		default:
		}
		return
	}
	if got.News == nil {
		return
	}
	if got.News.Interrupted {
		m.interrupted.Store(true)
	}
	select {
	case m.news <- *got.News:
	case <-m.ended:
	default: // its number will be missing
	}
}

// Fail tells the coordinator that the worker can't play its part.
func (m *Membership) Fail(err error) {
	_ = m.publish(message{Failed: err.Error()}) // it may be gone
	_ = m.conn.FlushTimeout(time.Second)
}

func (m *Membership) publish(g message) error {
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	if len(text) > maxMessage {
		return fmt.Errorf("a message of %d bytes is too long", len(text))
	}
	return m.conn.Publish(upSubject(m.run, strconv.Itoa(m.number)), text)
}

// Run names the run.
func (m *Membership) Run() string { return m.run }

// Again reports whether the coordinator wants the worker for one more run. It is called when
// this one has been played.
func (m *Membership) Again() bool { return m.Plan.Again && !m.interrupted.Load() }

// Play plays the worker's part with a configuration for the plan.
func (m *Membership) Play(ctx context.Context, cfg loadgen.Config) error {
	part, err := m.begin(ctx)
	if err != nil {
		return err
	}
	err = loadgen.RunWorker(ctx, cfg, part, m)
	_ = m.conn.FlushTimeout(2 * time.Second)
	return err
}

// begin waits until the run begins, and returns the worker's part.
func (m *Membership) begin(ctx context.Context) (part loadgen.Part, err error) {
	if err := m.settleClock(ctx); err != nil {
		m.Fail(err)
		return part, err
	}
	// The coordinator may have to be told more than once: it subscribes, and answers, in its
	// own time.
	if err := errors.Join(m.publish(message{Ready: true}), m.conn.FlushTimeout(5*time.Second)); err != nil {
		return part, err
	}
	var begin start
	select {
	case begin = <-m.starts:
	case <-m.ended:
		return part, fmt.Errorf("%w: it ended before the run began", ErrNoCoordinator)
	case <-ctx.Done():
		m.Fail(ctx.Err())
		return part, ctx.Err()
	}
	if begin.Cancelled != "" {
		return part, fmt.Errorf("the coordinator called the run off: %s", begin.Cancelled)
	}
	part = loadgen.Part{Number: m.number, Of: m.Plan.Workers, Tickets: begin.Tickets}
	if m.local {
		part.Zero = atWall(begin.Wall)
		for _, pid := range begin.Local {
			if pid != os.Getpid() {
				part.Kin = append(part.Kin, pid)
			}
		}
		return part, nil
	}
	m.reader = clock.NewReader(m.follow, m.now)
	if m.base, _, err = m.reader.Read(); err != nil {
		return part, fmt.Errorf("the coordinator's clock: %w", err)
	}
	part.Zero = m.began.Add(begin.Zero - m.base)
	return part, nil
}

// settleClock waits until the coordinator's clock is known.
func (m *Membership) settleClock(ctx context.Context) error {
	if m.local {
		return nil
	}
	const patience = 15 * time.Second
	for deadline := time.Now().Add(patience); ; {
		_, err := m.follow.At(m.now())
		if err == nil || !errors.Is(err, clock.ErrUnknown) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the coordinator's clock: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-m.ended:
			return ErrNoCoordinator
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Send implements link.Link.
func (m *Membership) Send(r link.Report) error {
	return m.publish(message{Report: &r})
}

// Alive implements link.Link: any message will do.
func (m *Membership) Alive() error { return m.publish(message{}) }

// News implements link.Link.
func (m *Membership) News() <-chan link.News { return m.news }

// Clock implements link.Link.
func (m *Membership) Clock() (ahead, bound time.Duration, err error) {
	if m.local {
		return 0, 0, nil
	}
	ahead, bound, err = m.reader.Read()
	return ahead - m.base, max(bound, 1), err
}

// Close ends the membership.
func (m *Membership) Close() {
	if m.follow != nil {
		m.follow.Close()
	}
	if m.conn != nil {
		m.conn.Close()
	}
	m.orders.close()
}
