package workers

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/earshot-audio/earshot/loadgen/clock"
	"github.com/earshot-audio/earshot/loadgen/link"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// Config configures a coordinator.
type Config struct {
	// Listen is the address on which it serves NATS; "" with URL.
	Listen string
	// URL is the NATS server to use instead.
	URL string
	// Token is what workers have to know; "" makes one.
	Token string
	// TLS is the server's certificate; nil is none.
	TLS *tls.Config
	// Plan is what is played.
	Plan Plan
	// Seen, if not nil, is called when workers come.
	Seen func(text string)
}

// A Coordinator takes in workers, and is the hub of their run. It is safe for concurrent
// use; Close ends it.
type Coordinator struct {
	cfg    Config
	run    string
	token  string
	secret string // of local workers
	began  time.Time
	server *server.Server // nil: another's
	conn   *nats.Conn

	inbox   *inbox
	reports chan link.Delivery
	told    atomic.Int64 // when the workers were told something at last, on its clock

	mu      sync.Mutex
	workers []member
	ready   int
	failed  string
	changed chan struct{} // closed with each change
}

// A member is a worker that has enrolled.
type member struct {
	link.WorkerInfo
	id    string // its own
	pid   int
	local bool
	ready bool
}

const (
	startTimeout = 15 * time.Second
	// pingEvery is how often NATS looks whether a connection lives, and maxPings how many answers
	// may be missing: it is more patient than a run, which knows best who is lost.
	pingEvery = time.Second
	maxPings  = 20
)

// NewCoordinator starts to take in workers.
func NewCoordinator(cfg Config) (*Coordinator, error) {
	digests, err := audioDigests(cfg.Plan.Scenario)
	if err != nil {
		return nil, err
	}
	cfg.Plan.Audio = digests
	c := &Coordinator{
		cfg: cfg, run: strings.ToLower(rand.Text()[:10]), token: cfg.Token, secret: rand.Text(), began: time.Now(),
		changed: make(chan struct{}), reports: make(chan link.Delivery),
	}
	c.inbox = newInbox(cfg.Plan.Workers, c.now)
	c.inbox.work.Go(func() { c.inbox.take(c.hear) })
	if c.token == "" {
		c.token = rand.Text()
	}
	if err := c.connect(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	for subject, handle := range map[string]nats.MsgHandler{enrolSubject: c.enrol, upSubject(c.run, "*"): c.inbox.receive} {
		if _, err := c.conn.Subscribe(subject, handle); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	if _, err := clock.Serve(c.conn, clockSubject(c.run), clock.OfMachine(c.now)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, c.conn.Flush()
}

// now is the coordinator's clock.
func (c *Coordinator) now() time.Duration { return time.Since(c.began) }

// JoinURL is what workers join with.
func (c *Coordinator) JoinURL() string {
	if c.server == nil {
		return c.cfg.URL
	}
	scheme := "nats"
	if c.cfg.TLS != nil {
		scheme = "tls"
	}
	return fmt.Sprintf("%s://%s@%s", scheme, c.token, c.server.Addr())
}

// Secret is what a worker that the coordinator has started itself joins with, beside the
// URL: such a worker has the same clock.
func (c *Coordinator) Secret() string { return c.secret }

// enrol answers a worker that introduces itself.
func (c *Coordinator) enrol(m *nats.Msg) {
	answer := welcome{}
	var h hello
	switch err := json.Unmarshal(m.Data, &h); {
	case err != nil:
		answer.Refused = "its greeting can't be read"
	case h.Protocol != protocol || h.Build != build():
		answer.Refused = fmt.Sprintf("the worker is another build than the coordinator (%s, and not %s): start the same earshot on all machines", h.Build, build())
	case h.Played == c.run:
		answer.Later = true
	default:
		answer = c.admit(h)
	}
	text, err := json.Marshal(answer)
	if err == nil {
		_ = m.Respond(text) // a worker without an answer asks again
	}
}

func (c *Coordinator) admit(h hello) welcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	local := h.Local != "" && h.Local == c.secret
	taken := func(number int) welcome {
		return welcome{Run: c.run, Number: number, Local: local, Plan: &c.cfg.Plan}
	}
	if i := slices.IndexFunc(c.workers, func(w member) bool { return w.id == h.ID }); i >= 0 {
		return taken(i)
	}
	if len(c.workers) == c.cfg.Plan.Workers {
		return welcome{Refused: fmt.Sprintf("all %d workers are there already", c.cfg.Plan.Workers)}
	}
	number := len(c.workers)
	c.workers = append(c.workers, member{WorkerInfo: link.WorkerInfo{Name: fmt.Sprintf("%d (%s)", number+1, h.Name), Host: h.Host, Machine: h.Machine, CPUs: h.CPUs}, id: h.ID, pid: h.PID, local: local})
	c.say(fmt.Sprintf("worker %d of %d is there: %s, %d cores", number+1, c.cfg.Plan.Workers, h.Name, h.CPUs))
	c.change()
	return taken(number)
}

func (c *Coordinator) say(text string) {
	if c.cfg.Seen != nil {
		c.cfg.Seen(text)
	}
}

// change wakes who waits. c.mu is held.
func (c *Coordinator) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// hear takes an arrival out of the inbox.
func (c *Coordinator) hear(a arrival) {
	got := message{}
	if a.lost == nil {
		if err := json.Unmarshal(a.text, &got); err != nil {
			a.lost = fmt.Errorf("its message can't be read: %w", err)
		}
	}
	if a.lost != nil || got.Report != nil {
		d := link.Delivery{Worker: a.worker, Lost: a.lost}
		if got.Report != nil {
			d.Report = *got.Report
		}
		select {
		case c.reports <- d: // when there is time for it
		case <-c.inbox.stop:
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.worker >= len(c.workers) {
		return
	}
	switch w := &c.workers[a.worker]; {
	case got.Failed != "" && c.failed == "":
		c.failed = fmt.Sprintf("worker %s: %s", w.Name, got.Failed)
	case got.Ready && !w.ready:
		w.ready = true
		c.ready++
	}
	c.change()
}

// Lose enters that a worker's process has ended, by its process id on this machine. It
// reports whether that was a worker of the run.
func (c *Coordinator) Lose(pid int, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, w := range c.workers {
		if w.local && w.pid == pid {
			c.inbox.put(arrival{worker: i, lost: why})
			if !w.ready && c.failed == "" {
				c.failed = fmt.Sprintf("worker %s: %v", w.Name, why)
			}
			c.change()
			return
		}
	}
	if c.failed == "" {
		c.failed = fmt.Sprintf("a worker that was started here ended before it had joined: %v", why)
	}
	c.change()
}

// Wait returns when all workers are there and ready.
func (c *Coordinator) Wait(ctx context.Context, patience time.Duration) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		there, ready, failed, changed := len(c.workers), c.ready, c.failed, c.changed
		c.mu.Unlock()
		switch {
		case failed != "":
			return errors.New(failed)
		case ready == c.cfg.Plan.Workers:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return fmt.Errorf("only %d of %d workers came within %v, and %d were ready: start the others, or wait for longer with --wait", there, c.cfg.Plan.Workers, patience, ready)
		}
	}
}

// Start has the workers begin, and returns the run's clock.
func (c *Coordinator) Start(tickets []string) (*timebase.Clock, error) {
	zero := time.Now()
	s := &start{Zero: zero.Sub(c.began), Wall: wallOf(zero), Tickets: tickets}
	c.mu.Lock()
	for _, w := range c.workers {
		if w.local {
			s.Local = append(s.Local, w.pid)
		}
	}
	c.mu.Unlock()
	s.Local = append(s.Local, os.Getpid())
	if err := c.publish(message{Start: s}); err != nil {
		return nil, err
	}
	c.told.Store(int64(c.now()))
	c.inbox.work.Go(func() { c.inbox.watch(func() { sayAlive(c) }) })
	return timebase.NewClockSince(zero), nil
}

// Cancel tells the workers that there will be no run.
func (c *Coordinator) Cancel(why error) {
	_ = c.publish(message{Start: &start{Cancelled: why.Error()}}) // they will notice that it is gone
}

func (c *Coordinator) publish(m message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return errors.Join(c.conn.Publish(downSubject(c.run), text), c.conn.Flush())
}

// Workers implements link.Hub.
func (c *Coordinator) Workers() (all []link.WorkerInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.workers {
		all = append(all, w.WorkerInfo)
	}
	return all
}

// Reports implements link.Hub.
func (c *Coordinator) Reports() <-chan link.Delivery { return c.reports }

// Overrun implements link.Hub.
func (c *Coordinator) Overrun() error { return c.inbox.overrunError() }

// Send implements link.Hub.
func (c *Coordinator) Send(n link.News) error {
	text, err := json.Marshal(message{News: &n})
	if err != nil {
		return err
	}
	c.told.Store(int64(c.now()))
	return c.conn.Publish(downSubject(c.run), text)
}

// sayAlive tells the workers that the coordinator is there, if it is too busy to tell them more.
func sayAlive(c *Coordinator) {
	since := c.now() - time.Duration(c.told.Load())
	if since < 2*link.ReportEvery || since > link.BusyFor {
		return
	}
	text, err := json.Marshal(message{News: &link.News{}})
	if err == nil {
		_ = c.conn.Publish(downSubject(c.run), text) // they will notice if it is gone
	}
}

// Close ends it. Workers that still play see their people out.
func (c *Coordinator) Close() error {
	if c.conn != nil {
		_ = c.conn.FlushTimeout(time.Second) // what was said last
		c.conn.Close()
	}
	if c.server != nil {
		c.server.Shutdown()
		c.server.WaitForShutdown()
	}
	c.inbox.close()
	return nil
}
