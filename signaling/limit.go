package signaling

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// Limit is how often something may be done: Rate times a second over time, Burst
// times at once.
type Limit struct {
	Rate  float64
	Burst int
}

// Limits are how often a client may do what costs the server something or could
// be used to guess. Each kind is counted by address (an IPv6 /64 counts as one,
// since one customer has it) and by account: for members their account, for
// others their token. Zero values stand for the defaults given here.
type Limits struct {
	// SignIn counts redeeming and looking at invites, logins and refreshes.
	// Default by address 5/s, 100 at once; by account 0.2/s, 20 at once.
	SignInByAddress, SignInByAccount Limit
	// Create counts the rooms and invites that are made. Default by address 2/s,
	// 60 at once; by account 0.1/s, 20 at once. The operator is not counted.
	CreateByAddress, CreateByAccount Limit
	// Request counts all other requests of the API. Default by address 50/s, 500
	// at once.
	RequestByAddress Limit
	// Connect counts WebSockets. Default by address 20/s, 300 at once.
	ConnectByAddress Limit
	// Message counts what comes over WebSockets. Default by address 500/s, 2,000
	// at once; by session 20/s, 100 at once.
	MessageByAddress, MessageBySession Limit
	// Offer counts the offers of mics and ears, over WebSockets, WHIP and WHEP.
	// Default by address 20/s, 300 at once; by account 1/s, 20 at once.
	OfferByAddress, OfferByAccount Limit
	// Exempt are the addresses that are not limited at all, in nothing: those of
	// load generators. There are none unless they are given.
	Exempt []netip.Prefix
}

// withDefaults fills the zero values in and calls refuse with what is wrong.
func (l Limits) withDefaults(refuse func(format string, args ...any)) Limits {
	for _, row := range []struct {
		name     string
		limit    *Limit
		standard Limit
	}{
		{"sign-ins by address", &l.SignInByAddress, Limit{5, 100}},
		{"sign-ins by account", &l.SignInByAccount, Limit{0.2, 20}},
		{"creations by address", &l.CreateByAddress, Limit{2, 60}},
		{"creations by account", &l.CreateByAccount, Limit{0.1, 20}},
		{"requests by address", &l.RequestByAddress, Limit{50, 500}},
		{"connections by address", &l.ConnectByAddress, Limit{20, 300}},
		{"messages by address", &l.MessageByAddress, Limit{500, 2000}},
		{"messages by session", &l.MessageBySession, Limit{20, 100}},
		{"offers by address", &l.OfferByAddress, Limit{20, 300}},
		{"offers by account", &l.OfferByAccount, Limit{1, 20}},
	} {
		if *row.limit == (Limit{}) {
			*row.limit = row.standard
		}
		if !(row.limit.Rate > 0) || row.limit.Burst < 1 {
			refuse("the limit of %s is %g a second, %d at once: both must be positive", row.name, row.limit.Rate, row.limit.Burst)
		}
	}
	return l
}

// meter counts by key under one limit. It forgets the keys that have not been
// seen for as long as it takes to fill up again, so that its memory is bounded by
// the traffic of that time. Safe for concurrent use.
type meter struct {
	limit Limit
	// life is how long an untouched bucket takes to be full.
	life time.Duration

	mu         sync.Mutex
	young, old map[string]*rate.Limiter
	turned     time.Time
}

func newMeter(limit Limit) *meter {
	return &meter{
		limit: limit,
		life:  time.Duration(float64(limit.Burst) / limit.Rate * float64(time.Second)),
		young: make(map[string]*rate.Limiter),
	}
}

// take counts one. If it is one too many it is not counted, and the result is
// how long to wait.
func (m *meter) take(key string, now time.Time) (wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.turned) >= m.life {
		m.old, m.young, m.turned = m.young, make(map[string]*rate.Limiter), now
	}
	l := m.young[key]
	if l == nil {
		if l = m.old[key]; l == nil {
			l = rate.NewLimiter(rate.Limit(m.limit.Rate), m.limit.Burst)
		}
		m.young[key] = l
	}
	r := l.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// limits holds the meters of a server.
type limits struct {
	exempt []netip.Prefix
	clock  func() time.Time

	signInByAddress, signInByAccount   *meter
	createByAddress, createByAccount   *meter
	requestByAddress                   *meter
	connectByAddress                   *meter
	messageByAddress, messageBySession *meter
	offerByAddress, offerByAccount     *meter
}

func newLimits(cfg *Config) *limits {
	l := cfg.Limits
	return &limits{
		exempt: l.Exempt, clock: cfg.Clock,
		signInByAddress: newMeter(l.SignInByAddress), signInByAccount: newMeter(l.SignInByAccount),
		createByAddress: newMeter(l.CreateByAddress), createByAccount: newMeter(l.CreateByAccount),
		requestByAddress: newMeter(l.RequestByAddress),
		connectByAddress: newMeter(l.ConnectByAddress),
		messageByAddress: newMeter(l.MessageByAddress), messageBySession: newMeter(l.MessageBySession),
		offerByAddress: newMeter(l.OfferByAddress), offerByAccount: newMeter(l.OfferByAccount),
	}
}

// origin is where a request comes from, as the limits count it; empty: it is
// exempt.
type origin string

// origin returns where a request comes from.
func (l *limits) origin(r *http.Request) origin {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return origin(r.RemoteAddr) // not a socket's: still counted
	}
	addr := at.Addr().Unmap()
	for _, p := range l.exempt {
		if p.Contains(addr) {
			return ""
		}
	}
	if addr.Is6() {
		if p, err := addr.WithZone("").Prefix(64); err == nil {
			return origin(p.String())
		}
	}
	return origin(addr.String())
}

// count counts one against the meter of an address and against the one of an
// account; an empty key, or a nil meter, counts nothing. Whoever is exempt is not
// counted.
func (l *limits) count(from origin, byAddress *meter, account string, byAccount *meter) error {
	if from == "" {
		return nil
	}
	now := l.clock()
	for _, row := range []struct {
		meter *meter
		key   string
	}{{byAddress, string(from)}, {byAccount, account}} {
		if row.meter == nil || row.key == "" {
			continue
		}
		if wait := row.meter.take(row.key, now); wait > 0 {
			return limited{wait}
		}
	}
	return nil
}

// The kinds of what is counted. A sign-in is counted by address before it is read,
// and by account when it is known whose it would be.
func (l *limits) signIn(from origin) error { return l.count(from, l.signInByAddress, "", nil) }

func (l *limits) signInAs(from origin, account string) error {
	return l.count(from, nil, account, l.signInByAccount)
}

func (l *limits) create(from origin, account string) error {
	return l.count(from, l.createByAddress, account, l.createByAccount)
}

func (l *limits) request(from origin) error { return l.count(from, l.requestByAddress, "", nil) }

func (l *limits) connect(from origin) error { return l.count(from, l.connectByAddress, "", nil) }

func (l *limits) message(from origin, session string) error {
	return l.count(from, l.messageByAddress, session, l.messageBySession)
}

func (l *limits) offer(from origin, account string) error {
	return l.count(from, l.offerByAddress, account, l.offerByAccount)
}

// limited is the refusal of one request too many.
type limited struct {
	wait time.Duration
}

// Error says how long to wait.
func (e limited) Error() string {
	return "too many requests: try again in " + e.seconds() + " s"
}

// seconds returns the wait in whole seconds, at least 1.
func (e limited) seconds() string {
	return strconv.FormatInt(int64(max(e.wait+time.Second-1, time.Second)/time.Second), 10)
}

// As makes it a wire.Error for whoever looks for one.
func (e limited) As(target any) bool {
	refusal, ok := target.(*wire.Error)
	if ok {
		*refusal = wire.NewError(wire.CodeRateLimited, e.Error())
	}
	return ok
}
