package auth

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// bucketSet limits the rate of events by key, with one token bucket a key. It drops the
// bucket of a key that has not been used for as long as it takes to refill, so
// that memory is bounded by the traffic of that time. It is safe for concurrent
// use.
type bucketSet struct {
	limit Limit
	// refill is how long an empty bucket takes to be full.
	refill time.Duration

	mu sync.Mutex
	// Every refill time, current becomes previous and the old previous is dropped.
	current, previous map[string]*rate.Limiter
	rotated           time.Time
}

func newBucketSet(limit Limit) *bucketSet {
	return &bucketSet{
		limit:   limit,
		refill:  time.Duration(float64(limit.Burst) / limit.Rate * float64(time.Second)),
		current: make(map[string]*rate.Limiter),
	}
}

// take counts one event. An event over the limit is not counted, and the result
// is how long to wait for the next that would be allowed.
func (b *bucketSet) take(key string, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.rotated) >= b.refill {
		b.previous, b.current, b.rotated = b.current, make(map[string]*rate.Limiter), now
	}
	bucket := b.current[key]
	if bucket == nil {
		if bucket = b.previous[key]; bucket == nil {
			bucket = rate.NewLimiter(rate.Limit(b.limit.Rate), b.limit.Burst)
		}
		b.current[key] = bucket
	}
	reservation := bucket.ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// Limiter counts requests against [Limits]. Its methods return nil, or an error
// of type [RateLimited]. It is safe for concurrent use.
type Limiter struct {
	exempt []netip.Prefix
	clock  func() time.Time

	signInByAddress, signInByAccount   *bucketSet
	createByAddress, createByAccount   *bucketSet
	requestByAddress                   *bucketSet
	connectByAddress                   *bucketSet
	messageByAddress, messageBySession *bucketSet
	offerByAddress, offerByAccount     *bucketSet
}

// NewLimiter returns a limiter for limits without zero values.
func NewLimiter(l Limits, clock func() time.Time) *Limiter {
	return &Limiter{
		exempt: l.Exempt, clock: clock,
		signInByAddress: newBucketSet(l.SignInByAddress), signInByAccount: newBucketSet(l.SignInByAccount),
		createByAddress: newBucketSet(l.CreateByAddress), createByAccount: newBucketSet(l.CreateByAccount),
		requestByAddress: newBucketSet(l.RequestByAddress),
		connectByAddress: newBucketSet(l.ConnectByAddress),
		messageByAddress: newBucketSet(l.MessageByAddress), messageBySession: newBucketSet(l.MessageBySession),
		offerByAddress: newBucketSet(l.OfferByAddress), offerByAccount: newBucketSet(l.OfferByAccount),
	}
}

// Origin is the address that requests are counted by; empty: exempt from all
// limits.
type Origin string

// Origin returns the origin of a request.
func (l *Limiter) Origin(r *http.Request) Origin {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return Origin(r.RemoteAddr) // not a socket's address; counted all the same
	}
	addr := at.Addr().Unmap()
	for _, p := range l.exempt {
		if p.Contains(addr) {
			return ""
		}
	}
	if addr.Is6() {
		if p, err := addr.WithZone("").Prefix(64); err == nil {
			return Origin(p.String())
		}
	}
	return Origin(addr.String())
}

// count counts one event by address and one by account. An empty account or nil
// buckets count nothing, and neither does an exempt origin.
func (l *Limiter) count(from Origin, byAddress *bucketSet, account string, byAccount *bucketSet) error {
	if from == "" {
		return nil
	}
	now := l.clock()
	for _, row := range []struct {
		buckets *bucketSet
		key     string
	}{{byAddress, string(from)}, {byAccount, account}} {
		if row.buckets == nil || row.key == "" {
			continue
		}
		if wait := row.buckets.take(row.key, now); wait > 0 {
			return RateLimited{wait}
		}
	}
	return nil
}

// SignIn counts a sign-in that has failed, by address.
func (l *Limiter) SignIn(from Origin) error { return l.count(from, l.signInByAddress, "", nil) }

// SignInAs counts a sign-in by account, once the account is known.
func (l *Limiter) SignInAs(from Origin, account string) error {
	return l.count(from, nil, account, l.signInByAccount)
}

// Create counts a new room or invite.
func (l *Limiter) Create(from Origin, account string) error {
	return l.count(from, l.createByAddress, account, l.createByAccount)
}

// Request counts any other request to the API.
func (l *Limiter) Request(from Origin) error { return l.count(from, l.requestByAddress, "", nil) }

// Connect counts a WebSocket connection.
func (l *Limiter) Connect(from Origin) error { return l.count(from, l.connectByAddress, "", nil) }

// Message counts a message on a WebSocket connection.
func (l *Limiter) Message(from Origin, connection string) error {
	return l.count(from, l.messageByAddress, connection, l.messageBySession)
}

// Offer counts an offer of a mic or an ear.
func (l *Limiter) Offer(from Origin, account string) error {
	return l.count(from, l.offerByAddress, account, l.offerByAccount)
}

// RateLimited refuses a request that exceeds a limit.
type RateLimited struct {
	// Wait is how long to wait before another attempt.
	Wait time.Duration
}

// Error says how long to wait.
func (e RateLimited) Error() string {
	return "too many requests: try again in " + e.Seconds() + " s"
}

// Seconds returns the wait in whole seconds, at least 1, as the Retry-After
// header takes it (RFC 9110, section 10.2.3).
func (e RateLimited) Seconds() string {
	return strconv.FormatInt(int64(max(e.Wait+time.Second-1, time.Second)/time.Second), 10)
}

// As lets errors.As find a [wire.Error] with [wire.CodeRateLimited].
func (e RateLimited) As(target any) bool {
	refusal, ok := target.(*wire.Error)
	if ok {
		*refusal = wire.NewError(wire.CodeRateLimited, e.Error())
	}
	return ok
}
