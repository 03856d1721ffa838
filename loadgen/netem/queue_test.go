package netem

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A testEndpoint records what is delivered, and when.
type testEndpoint struct {
	clock *timebase.Clock
	got   chan delivery
}

type delivery struct {
	body    string
	peer    netip.AddrPort
	up      bool
	at, now time.Duration
}

func newTestEndpoint(clock *timebase.Clock) *testEndpoint {
	return &testEndpoint{clock: clock, got: make(chan delivery, 1000)}
}

func (m *testEndpoint) Deliver(p *DelayedPacket) {
	m.got <- delivery{string(p.Body), p.Peer, p.Up, p.At, m.clock.Now()}
}

func (m *testEndpoint) take(t *testing.T, n int) (got []delivery) {
	t.Helper()
	for range n {
		select {
		case d := <-m.got:
			got = append(got, d)
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d arrived", len(got), n)
		}
	}
	return got
}

func TestDelayQueueDeliversInOrderAndNotEarly(t *testing.T) {
	clock := timebase.NewClock()
	late := make(chan time.Duration, 10)
	r := newDelayQueue(clock, func(d time.Duration) { late <- d })
	defer r.Close()
	m := newTestEndpoint(clock)
	body := []byte("c")
	start := clock.Now()
	r.add(DelayedPacket{At: start + 60*time.Millisecond, Body: body, to: m})
	body[0] = 'x' // it was copied
	r.add(DelayedPacket{At: start + 30*time.Millisecond, Body: []byte("a"), to: m, Up: true})
	r.add(DelayedPacket{At: start + 60*time.Millisecond, Body: []byte("d"), to: m})
	r.add(DelayedPacket{At: start + 40*time.Millisecond, Body: []byte("b"), to: m})
	text := ""
	for _, d := range m.take(t, 4) {
		text += d.body
		assert.GreaterOrEqual(t, d.now, d.at)
	}
	assert.Equal(t, "abcd", text, "packets that arrive together keep their order")
	assert.Len(t, late, 1, "only packets to the server are reported as late")
	assert.GreaterOrEqual(t, <-late, time.Duration(0))
}

func TestDelayQueueDeliversNothingAfterClose(t *testing.T) {
	clock := timebase.NewClock()
	r := newDelayQueue(clock, func(time.Duration) {})
	m := newTestEndpoint(clock)
	r.add(DelayedPacket{At: clock.Now() + time.Hour, Body: []byte("a"), to: m})
	r.Close()
	r.add(DelayedPacket{At: clock.Now(), Body: []byte("b"), to: m})
	assert.Empty(t, m.got)
}

// testEmulator returns an emulator in its steady state.
func testEmulator(t *testing.T) *Emulator {
	n := NewEmulator(timebase.NewClock(), 7, func(doing string, err error) { assert.NoError(t, err, doing) }, func(time.Duration) {})
	n.BeginSteady(n.clock.Now() | 1)
	t.Cleanup(n.Close)
	return n
}

func TestImpairmentDelaysEachDirection(t *testing.T) {
	n := testEmulator(t)
	l := n.NewImpairment(&network.Profile{Name: "x", Up: network.Direction{Delay: 30 * time.Millisecond}, Down: network.Direction{Delay: 70 * time.Millisecond}}, 0, 0, 0)
	m := newTestEndpoint(n.clock)
	server := netip.MustParseAddrPort("127.0.0.1:9")
	before := n.clock.Now()
	l.Send([]byte("up"), server, m)
	after := n.clock.Now()
	l.Receive([]byte("down"), server, before, m)
	got := m.take(t, 2)
	assert.Equal(t, "up", got[0].body)
	assert.True(t, got[0].up)
	assert.GreaterOrEqual(t, got[0].at, before+30*time.Millisecond)
	assert.LessOrEqual(t, got[0].at, after+30*time.Millisecond)
	assert.Equal(t, delivery{"down", server, false, before + 70*time.Millisecond, got[1].now}, got[1], "the delay counts from the receive time")
}

func TestImpairmentDropsEverythingDuringOutage(t *testing.T) {
	n := testEmulator(t)
	l := n.NewImpairment(&network.Profile{Name: "x", Outages: []network.Outage{{At: time.Hour, For: time.Hour}}}, 0, 0, 0)
	m := newTestEndpoint(n.clock)
	steady := time.Duration(n.steady.Load())
	for _, at := range []time.Duration{0, 59 * time.Minute, time.Hour, 119 * time.Minute} {
		l.Receive([]byte("x"), netip.AddrPort{}, steady+at-2*time.Hour, m)
	}
	l.Receive([]byte("in it"), netip.AddrPort{}, steady+time.Hour, m)
	l.Receive([]byte("last"), netip.AddrPort{}, steady, m)
	for _, d := range m.take(t, 5) {
		assert.NotEqual(t, "in it", d.body)
	}
	assert.Empty(t, m.got)
}

func TestImpairmentsDifferAndAreRepeatable(t *testing.T) {
	p := &network.Profile{Name: "x", Up: network.Direction{Loss: 0.5}, Down: network.Direction{Loss: 0.5}}
	fates := func(path *network.Path) (all []network.Fate) {
		for range 200 {
			_, fate := path.Pass(0, 100)
			all = append(all, fate)
		}
		return all
	}
	n, again := testEmulator(t), testEmulator(t)
	seen := map[string]bool{}
	for room := range 2 {
		for group := range 2 {
			for person := range 2 {
				a, b := n.NewImpairment(p, room, group, person), again.NewImpairment(p, room, group, person)
				for _, pair := range [][2]*network.Path{{a.up, b.up}, {a.down, b.down}} {
					one := fates(pair[0])
					require.Equal(t, one, fates(pair[1]))
					text := ""
					for _, f := range one {
						text += string('0' + rune(f))
					}
					seen[text] = true
				}
			}
		}
	}
	assert.Len(t, seen, 16)
	assert.Nil(t, n.NewImpairment(nil, 0, 0, 0), "no profile, no impairment")
}
