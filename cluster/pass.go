package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// The subjects, before a node's ID, and for all nodes.
	requestSubject = "es.o."
	cancelSubject  = "es.x."
	allSubject     = "es.all"
	orderSubject   = "es.do"
	answerSubject  = "es.a."
	kindHeader     = "Earshot-Kind"

	kindHTTP = "http"
	// partSize is how much of an answer is in one message.
	partSize = 256 << 10
	// MaxBody is how long the body of a request may be that is passed on.
	MaxBody = 256 << 10
	// maxWaiting and maxWaitingBytes bound what waits for the handler of a subject.
	maxWaiting      = 16_384
	maxWaitingBytes = 32 << 20
	// maxServing is how many requests of other nodes are served at once.
	maxServing = 1024
)

// ErrGone says that the node does not answer.
var ErrGone = errors.New("the node does not answer")

// ErrBody says that the request has a body longer than [MaxBody].
var ErrBody = errors.New("the body is too long")

// request is an HTTP request as it is passed on.
type request struct {
	Method string
	URI    string
	Host   string
	Remote string
	Header http.Header
	Body   []byte
}

// part is a part of the answer. The first has the status and the header.
type part struct {
	Status int         `json:",omitempty"`
	Header http.Header `json:",omitempty"`
	Body   []byte
	More   bool `json:",omitempty"`
}

// Answer is the answer of another node.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Write writes the answer to a client.
func (a Answer) Write(w http.ResponseWriter) {
	h := w.Header()
	for name, values := range a.Header {
		h[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the client may be gone
}

func (c *Cluster) subscribe() error {
	for subject, handle := range map[string]nats.MsgHandler{
		requestSubject + c.cfg.Self.ID: c.serve,
		cancelSubject + c.cfg.Self.ID:  c.cancel,
		allSubject:                     c.told,
		orderSubject:                   c.ordered,
		beatSubject:                    c.hearBeat,

		answerSubject + c.cfg.Self.ID + ".*": func(m *nats.Msg) { c.orders.answered(m.Subject, m.Data) },
	} {
		if _, err := c.conn.Subscribe(subject, handle); err != nil {
			return err
		}
	}
	return nil
}

// Pass passes a request on to a node and returns its answer. If ctx ends first, the node is
// told to give the request up. The error is [ErrGone] if nobody answers, or the node falls silent
// meanwhile.
func (c *Cluster) Pass(ctx context.Context, node string, r *http.Request) (Answer, error) {
	ctx, done := c.askedOf(ctx, node)
	defer done()
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	switch {
	case err != nil:
		return Answer{}, fmt.Errorf("read the body: %w", err)
	case len(body) > MaxBody:
		return Answer{}, ErrBody
	}
	data, err := json.Marshal(request{r.Method, r.URL.RequestURI(), r.Host, r.RemoteAddr, r.Header, body})
	if err != nil {
		return Answer{}, err
	}
	inbox := c.conn.NewInbox()
	answers, err := c.conn.SubscribeSync(inbox)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrGone, err)
	}
	defer func() { _ = answers.Unsubscribe() }()
	m := &nats.Msg{Subject: requestSubject + node, Reply: inbox, Data: data, Header: nats.Header{kindHeader: {kindHTTP}}}
	if err := c.conn.PublishMsg(m); err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrGone, err)
	}
	var answer Answer
	for first := true; ; first = false {
		m, err := answers.NextMsgWithContext(ctx)
		switch {
		case ctx.Err() != nil:
			_ = c.conn.Publish(cancelSubject+node, []byte(inbox))
			return Answer{}, context.Cause(ctx)
		case err != nil:
			return Answer{}, fmt.Errorf("%w: %w", ErrGone, err)
		}
		var p part
		if err := json.Unmarshal(m.Data, &p); err != nil {
			return Answer{}, fmt.Errorf("the node's answer: %w", err)
		}
		if first {
			answer.Status, answer.Header = p.Status, p.Header
		}
		answer.Body = append(answer.Body, p.Body...)
		if !p.More {
			return answer, nil
		}
	}
}

// askedOf is a context that also ends, by [ErrGone], when a node falls silent.
func (c *Cluster) askedOf(ctx context.Context, node string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	key := new(int)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[key] = question{node, cancel}
	if slices.Contains(c.lease.gone, node) {
		cancel(ErrGone)
	}
	return ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.asked, key)
		cancel(nil)
	}
}

// question is a request that another node has not answered yet.
type question struct {
	node   string
	giveUp context.CancelCauseFunc
}

// serve serves a request of another node, in a goroutine of its own.
func (c *Cluster) serve(m *nats.Msg) {
	c.mu.Lock()
	full := len(c.serving) >= maxServing || c.ctx.Err() != nil
	ctx, cancel := context.WithCancel(c.ctx)
	if !full {
		c.serving[m.Reply] = cancel
		c.running.Add(1)
	}
	c.mu.Unlock()
	if full {
		cancel()
		c.answer(m, http.StatusServiceUnavailable, http.Header{}, nil)
		return
	}
	go func() {
		defer c.running.Done()
		defer func() {
			c.mu.Lock()
			delete(c.serving, m.Reply)
			c.mu.Unlock()
			cancel()
		}()
		var in request
		if err := json.Unmarshal(m.Data, &in); err != nil {
			c.answer(m, http.StatusBadRequest, http.Header{}, nil)
			return
		}
		r, err := http.NewRequestWithContext(ctx, in.Method, in.URI, bytes.NewReader(in.Body))
		if err != nil {
			c.answer(m, http.StatusBadRequest, http.Header{}, nil)
			return
		}
		r.RequestURI, r.Host, r.RemoteAddr = in.URI, in.Host, in.Remote
		if r.Header = in.Header; r.Header == nil {
			r.Header = http.Header{}
		}
		w := &recorder{header: http.Header{}}
		c.cfg.Handler.ServeHTTP(w, r)
		c.answer(m, w.code(), w.header, w.body.Bytes())
	}()
}

// answer answers a request, in parts.
func (c *Cluster) answer(m *nats.Msg, status int, header http.Header, body []byte) {
	p := part{Status: status, Header: header}
	for {
		p.Body = body[:min(len(body), partSize)]
		body = body[len(p.Body):]
		p.More = len(body) > 0
		data, err := json.Marshal(p)
		if err != nil {
			return
		}
		if err := m.Respond(data); err != nil || !p.More {
			return // who asked is told by the time limit if the connection is gone
		}
		p = part{}
	}
}

// cancel gives up a request of another node whose client has gone.
func (c *Cluster) cancel(m *nats.Msg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel := c.serving[string(m.Data)]; cancel != nil {
		cancel()
	}
}

// Publish passes a message on to those who subscribe to its subject, without waiting.
func (c *Cluster) Publish(subject string, data []byte) error { return c.conn.Publish(subject, data) }

// Subscribe calls handle for each message of a subject, one after the other, until stop is
// called. Messages that wait for it are bounded: more are lost.
func (c *Cluster) Subscribe(subject string, handle func(data []byte)) (stop func(), err error) {
	s, err := c.conn.Subscribe(subject, func(m *nats.Msg) { handle(m.Data) })
	if err != nil {
		return nil, err
	}
	if err := s.SetPendingLimits(maxWaiting, maxWaitingBytes); err != nil {
		return nil, err
	}
	return func() { _ = s.Unsubscribe() }, nil // it fails if the connection has been closed
}

// Tell tells all other nodes something, without waiting.
func (c *Cluster) Tell(kind string, data []byte) error {
	return c.conn.PublishMsg(&nats.Msg{Subject: allSubject, Data: data, Header: nats.Header{kindHeader: {kind}}})
}

// TellAndWait tells all other nodes something, and returns the nodes that have not said
// within the wait that they have carried it out. It does not wait for those that are silent.
func (c *Cluster) TellAndWait(ctx context.Context, kind string, data []byte, wait time.Duration) (silent []string) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return c.orders.tell(ctx, kind, data)
}

// speaking returns the other nodes that are not silent.
func (c *Cluster) speaking() (ids []string) {
	for _, n := range c.Nodes() {
		if n.ID != c.cfg.Self.ID && !c.Silent(n.ID) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// sendOrders sends a list of orders to all nodes. One subscription is there for all answers: another for each message would cost
// each NATS server more than they do.
func (c *Cluster) sendOrders(reply string, data []byte) error {
	return c.conn.PublishRequest(orderSubject, reply, data)
}

// told carries out what another node tells all.
func (c *Cluster) told(m *nats.Msg) {
	if slow := c.cfg.Told(m.Header.Get(kindHeader), m.Data); slow != nil {
		c.start(slow)
	}
}

// ordered carries out the orders of another node. Those that take long do not hold up the answer for the others.
func (c *Cluster) ordered(m *nats.Msg) {
	var orders []order
	if json.Unmarshal(m.Data, &orders) != nil {
		return // of a program that is not this one
	}
	answer := func(d doneOrders) {
		d.Node = c.cfg.Self.ID
		if data, err := json.Marshal(d); err == nil {
			_ = m.Respond(data) // it is told by the time limit else
		}
	}
	var first doneOrders
	for i, o := range orders {
		slow := c.cfg.Told(o.Kind, o.Data)
		if slow == nil {
			continue
		}
		first.Later = append(first.Later, i)
		c.start(func() {
			slow()
			answer(doneOrders{Done: []int{i}})
		})
	}
	answer(first)
}

// start does something in a goroutine of its own, unless the node is leaving.
func (c *Cluster) start(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() == nil {
		c.running.Go(do)
	}
}

// recorder is the response to a request of another node.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(data []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(data)
}

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
