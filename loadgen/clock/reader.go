package clock

import "time"

const (
	// ReadEvery is how often a [Reader] is to be read.
	ReadEvery = 200 * time.Millisecond
	// StampedFor is for how long after a moment what was stamped then may be looked at.
	StampedFor = 10 * time.Second
	// maxTurn is by how much the hands are turned at a time.
	maxTurn = 500 * time.Microsecond
)

// A Reader turns the hands of our clock so that it shows what another machine's does: by how much
// it is put forward changes with each reading, and by little at a time. What happened meanwhile was
// stamped with the former. So the bound of a reading is by how much any stamp of the last [StampedFor]
// may be wrong, and those until the next one, if that comes in time: who looks at a stamp later, when
// more is known of the clocks, need not know when it was made.
//
// It is for one goroutine.
type Reader struct {
	follower *Follower
	now      func() time.Duration

	ahead  time.Duration // with which is stamped now
	at     time.Duration // since when
	within time.Duration // by how much that was wrong then, at most
	read   bool

	// The largest bounds since a moment, and of those before.
	since       time.Duration
	most, older time.Duration
}

// NewReader makes a reader of the clock that a follower follows; now is what our clock shows, and
// is the follower's.
func NewReader(f *Follower, now func() time.Duration) *Reader { return &Reader{follower: f, now: now} }

// Read is by how much the other's clock is ahead of ours, and by how much stamps may be wrong. With
// an error, which says why that can't be known, it is what was known at last.
func (r *Reader) Read() (ahead, bound time.Duration, err error) {
	now := r.now()
	o, err := r.follower.At(now)
	if err != nil {
		return r.ahead, max(r.most, r.older), err
	}
	stamped := time.Duration(0)
	if r.read {
		stamped = r.within + drift(now-r.at) // what was stamped at last
		r.ahead += min(max(o.Middle()-r.ahead, -maxTurn), maxTurn)
	} else {
		r.ahead, r.since, r.read = o.Middle(), now, true
	}
	r.at, r.within = now, o.Bound()+(o.Middle()-r.ahead).Abs()
	if now-r.since >= StampedFor {
		r.since, r.older, r.most = now, r.most, 0
	}
	r.most = max(r.most, stamped, r.within+drift(2*ReadEvery))
	return r.ahead, max(r.most, r.older), nil
}
