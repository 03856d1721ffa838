package front

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// Config is what a [Front] is made with. All fields but those of proxies are required.
type Config struct {
	// Max is how many connections there may be at once; see [Limit].
	Max int
	// Proxies are the trusted reverse proxies. With ProxyProtocol each of their
	// connections must begin with a header of the PROXY protocol, within HeaderWait.
	Proxies       Proxies
	ProxyProtocol bool
	HeaderWait    time.Duration
	Log           *slog.Logger
	Registry      prometheus.Registerer
}

// MinConnections is the least that a front may be limited to.
const MinConnections = 64

// Class says how much of the connections a request may use. The last ones are kept for
// those who find out what is wrong, and put it right.
type Class int

// The classes, from the least to the most.
const (
	// Anybody may use all but the reserve.
	Anybody Class = iota
	// Monitoring may use half of the reserve, too: it needs no token.
	Monitoring
	// Health may use three quarters. Its answers are a few bytes, so nobody can hold it up by
	// not reading.
	Health
	// Operator may use all.
	Operator
)

// Front holds the connections of a server's clients. A connection is either held (in a
// request, or a WebSocket) or waits: it has not sent a request yet, or not another one.
// Those that are held are limited by class. When there are Max, the one that has waited
// longest makes place for the next, so that nobody keeps others out by being silent.
// A Front is safe for concurrent use.
type Front struct {
	cfg     Config
	limits  [Operator + 1]int
	refused *prometheus.CounterVec
	// Anybody can cause what is logged with these.
	noHeader, full rate.Sometimes

	mu      sync.Mutex
	open    int
	held    int
	waiting *list.List // of *conn
}

// errFull refuses a request because of the connections there are.
var errFull = wire.NewError(wire.CodeUnavailable, "the server has as many connections as it can hold; try again later")

// What connections and requests are refused for, as a label.
const (
	forLimit    = "limit"
	forEviction = "evicted"
	forHeader   = "proxy_header"
)

// New makes a front.
func New(cfg Config) (*Front, error) {
	reserve := min(cfg.Max/4, 64)
	f := &Front{
		cfg: cfg, waiting: list.New(),
		limits:   [...]int{Anybody: cfg.Max - reserve, Monitoring: cfg.Max - reserve/2, Health: cfg.Max - reserve/4, Operator: cfg.Max},
		noHeader: rate.Sometimes{Interval: time.Minute}, full: rate.Sometimes{Interval: time.Minute},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_http_refused_total",
			Help: "Connections and requests refused because of the limit of connections (limit), connections that waited and made place (evicted), and connections of proxies without a header of the PROXY protocol (proxy_header).",
		}, []string{"reason"}),
	}
	for _, reason := range []string{forLimit, forEviction, forHeader} {
		f.refused.WithLabelValues(reason)
	}
	err := cfg.Registry.Register(f.refused)
	for _, gauge := range []struct {
		name, help string
		value      func() int
	}{
		{"earshot_http_connections", "TCP connections of HTTP and WebSockets.", func() int { return f.open }},
		{"earshot_http_connections_held", "Of them those in a request, and WebSockets.", func() int { return f.held }},
		{"earshot_http_connections_limit", "How many may be held by clients without the operator's token.", func() int { return f.limits[Anybody] }},
	} {
		err = errors.Join(err, cfg.Registry.Register(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: gauge.name, Help: gauge.help},
			func() float64 {
				f.mu.Lock()
				defer f.mu.Unlock()
				return float64(gauge.value())
			})))
	}
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return f, nil
}

// Full reports whether there is no connection left for [Anybody], beside that of a request.
func (f *Front) Full(r *http.Request) bool {
	c, _ := r.Context().Value(connKey{}).(*conn)
	f.mu.Lock()
	defer f.mu.Unlock()
	others := f.held
	if c != nil && c.state == isHeld {
		others--
	}
	return others >= f.limits[Anybody]
}

// Listen returns a listener whose connections the front holds. They go to a server that
// [Front.Attach] has changed.
func (f *Front) Listen(l *net.TCPListener) net.Listener { return &acceptor{TCPListener: l, front: f} }

// Attach lets a server tell the front of its connections.
func (f *Front) Attach(s *http.Server) {
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if held, ok := ours(c); ok {
			return context.WithValue(ctx, connKey{}, held)
		}
		return ctx
	}
	s.ConnState = func(c net.Conn, state http.ConnState) {
		if held, ok := ours(c); ok && state == http.StateHijacked {
			f.hijacked(held)
		}
	}
}

type connKey struct{}

func ours(c net.Conn) (*conn, bool) {
	if over, ok := c.(*tls.Conn); ok {
		c = over.NetConn()
	}
	held, ok := c.(*conn)
	return held, ok
}

// Begin holds the connection of a request, until end is called. It fails if there are as
// many as the request's class may use; classify is only called if that matters. Requests
// that did not come by a listener of the front are not limited.
func (f *Front) Begin(r *http.Request, classify func(*http.Request) Class) (end func(), err error) {
	c, ok := r.Context().Value(connKey{}).(*conn)
	if !ok {
		return func() {}, nil
	}
	class := Anybody
	if f.Full(r) {
		class = classify(r)
	}
	if !f.hold(c, class) {
		f.refuse(forLimit)
		return nil, errFull
	}
	return func() { f.release(c) }, nil
}

func (f *Front) refuse(reason string) {
	f.refused.WithLabelValues(reason).Inc()
	if reason == forLimit {
		f.full.Do(func() {
			f.cfg.Log.Warn("as many connections as there may be: new ones are refused", "limit", f.limits[Anybody])
		})
	}
}

// add counts a new connection, and closes the one that has waited longest if it is one too
// many. It fails if none waits.
func (f *Front) add(c *conn) bool {
	f.mu.Lock()
	var evicted *conn
	if f.open >= f.cfg.Max {
		first := f.waiting.Front()
		if first == nil {
			f.mu.Unlock()
			return false
		}
		evicted = first.Value.(*conn)
		f.forget(evicted)
	}
	f.open++
	c.state, c.place = waits, f.waiting.PushBack(c)
	f.mu.Unlock()
	if evicted != nil {
		_ = evicted.Conn.Close() // its server notices
		f.refuse(forEviction)
	}
	return true
}

// hold takes a connection from those that wait. It fails if there are too many, or it
// has just been closed.
func (f *Front) hold(c *conn, class Class) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.state != waits || f.held >= f.limits[class] {
		return false
	}
	f.waiting.Remove(c.place)
	c.state = isHeld
	f.held++
	return true
}

// release lets a connection wait for its next request.
func (f *Front) release(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.state != isHeld {
		return // it is a WebSocket now, or closed
	}
	f.held--
	c.state, c.place = waits, f.waiting.PushBack(c)
}

// hijacked keeps the connection held until it is closed.
func (f *Front) hijacked(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.state == isHeld {
		c.state = isHijacked
	}
}

// forget takes a connection off, once. The caller holds mu.
func (f *Front) forget(c *conn) {
	switch c.state {
	case waits:
		f.waiting.Remove(c.place)
	case isHeld, isHijacked:
		f.held--
	default:
		return
	}
	f.open--
	c.state = isClosed
}

// closed takes a connection off.
func (f *Front) closed(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget(c)
}
