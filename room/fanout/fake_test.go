package fanout

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds the wait for what must happen.
const patience = 30 * time.Second

// clock is a router's time under the test's control.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// heard is one packet that an ear took.
type heard struct {
	section int
	Packet
}

// fakeEar keeps what it is sent.
type fakeEar struct {
	mu      sync.Mutex
	packets []heard
	bundles []int // how many packets each call of Send had
	deaf    bool
	// block, if set, is waited for in every Send.
	block chan struct{}
	// entered counts the calls of Send that have begun.
	entered int
}

func (e *fakeEar) Send(_ SendBatch, packets []Packet) (failed int) {
	e.mu.Lock()
	e.entered++
	block, deaf := e.block, e.deaf
	e.mu.Unlock()
	if block != nil {
		<-block
	}
	if deaf {
		return len(packets)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bundles = append(e.bundles, len(packets))
	for _, p := range packets {
		p.sub = nil // a failed assertion would print the router
		e.packets = append(e.packets, heard{p.Section, p})
	}
	return 0
}

func (e *fakeEar) began() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.entered
}

func (e *fakeEar) all() []heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]heard(nil), e.packets...)
}

// in lists what came in one section.
func (e *fakeEar) in(section int) []heard {
	var list []heard
	for _, p := range e.all() {
		if p.section == section {
			list = append(list, p)
		}
	}
	return list
}

func (e *fakeEar) payloads() []string {
	var list []string
	for _, p := range e.all() {
		list = append(list, string(p.Payload))
	}
	return list
}

func (e *fakeEar) talkers() map[uint32]int {
	count := map[uint32]int{}
	for _, p := range e.all() {
		count[p.Talker]++
	}
	return count
}

// newRouter makes a router with shards of its own.
func newRouter(t testing.TB, cfg Config, shards ShardsConfig) *Router {
	t.Helper()
	var err error
	cfg.Shards, err = NewShards(shards)
	require.NoError(t, err)
	r, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		r.Close()
		cfg.Shards.Close()
	})
	return r
}

// stage is a router with a clock, for tests that push frames tick by tick.
type stage struct {
	t      *testing.T
	router *Router
	clock  *clock
}

func newStage(t *testing.T, cfg Config, shards ...ShardsConfig) *stage {
	t.Helper()
	shards = append(shards, ShardsConfig{})
	c := newClock()
	cfg.Now, shards[0].Now = c.Now, c.Now
	if cfg.Queue == 0 {
		cfg.Queue = 1 << 20 // time is not real here, and ticks come all at once
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = time.Hour
	}
	return &stage{t: t, router: newRouter(t, cfg, shards[0]), clock: c}
}

// flush waits until the shards have done all that was given to them.
func (s *stage) flush() {
	s.t.Helper()
	for _, l := range s.router.lanes {
		done := make(chan struct{})
		require.True(s.t, l.shard.queue.do(l, func() { close(done) }))
		select {
		case <-done:
		case <-time.After(patience):
			require.FailNow(s.t, "a shard is stuck")
		}
	}
}

// tick lets 20 ms pass.
func (s *stage) tick() { s.clock.advance(frameDuration) }

func (s *stage) ear(o SubscribeOptions) *fakeEar {
	s.t.Helper()
	e := &fakeEar{}
	_, err := s.router.Subscribe(e, o)
	require.NoError(s.t, err)
	return e
}

// voice is a mic that counts its own packets.
type voice struct {
	s   *stage
	mic *Publisher
	seq uint16
	ts  uint32
}

func (s *stage) voice(talker uint32) *voice {
	s.t.Helper()
	m, err := s.router.Publish(talker)
	require.NoError(s.t, err)
	// Start near the end of both ranges: every test goes through a wrap.
	return &voice{s: s, mic: m, seq: uint16(65530 + talker), ts: uint32(1<<32 - 3*960)}
}

// say pushes one frame now.
func (v *voice) say(payload string, level uint8) {
	v.mic.Push(Frame{Seq: v.seq, Timestamp: v.ts, Level: level, Payload: []byte(payload)})
	v.seq++
	v.ts += frameTicks
}

// pause is what a mic does that sends nothing for a frame.
func (v *voice) pause() { v.ts += frameTicks }

// lose is a frame that never arrives.
func (v *voice) lose() {
	v.seq++
	v.ts += frameTicks
}
