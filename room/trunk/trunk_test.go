package trunk

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/room/fanout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testEar is an ear without a network.
type testEar struct {
	owner    uint32
	detached bool
	onEnd    func()
}

func (e *testEar) SetOwner(talker uint32) { e.owner = talker }
func (e *testEar) Detach()                { e.detached = true }
func (e *testEar) Close() error           { return nil }
func (e *testEar) OnEnd(f func())         { e.onEnd = f }

// rules is what holds in a room of one process.
type rules struct {
	ears  map[uint64]uint32 // their owners
	muted map[uint32]bool
	hold  time.Duration
}

func (r rules) clone() rules { return rules{maps.Clone(r.ears), maps.Clone(r.muted), r.hold} }

// testRoom is a router, and the hold that it was told.
type testRoom struct {
	*fanout.Router
	hold time.Duration
}

func (r *testRoom) SetAudienceHold(d time.Duration) {
	r.hold = d
	r.SetHold(d)
}

// testHall is a hall with its ears, and what is on the way to it and back.
type testHall struct {
	*Receiver
	room     *testRoom
	ears     map[uint64]*testEar
	since    map[uint64]uint64
	messages [][]byte
	reports  []Report
}

// trunkTest is a stage with halls, on a clock of its own.
type trunkTest struct {
	t     require.TestingT
	now   time.Time
	stage *Sender
	halls map[string]*testHall
	// model is the room of one process, and at what it was when each message was sent.
	model rules
	at    map[uint64]rules
	lossy func() bool
}

func newTrunkTest(t require.TestingT, shards *fanout.Shards, names ...string) *trunkTest {
	x := &trunkTest{t: t, now: time.Unix(1e9, 0), halls: map[string]*testHall{}, at: map[uint64]rules{}, lossy: func() bool { return false }}
	x.model = rules{map[uint64]uint32{}, map[uint32]bool{}, 0}
	clock := func() time.Time { return x.now }
	x.stage = NewSender(SenderConfig{Now: clock, Send: func(data []byte, _ bool) {
		m, err := decode(data)
		require.NoError(t, err)
		x.at[m.seq] = x.model.clone()
		for _, h := range x.halls {
			if !x.lossy() {
				h.messages = append(h.messages, data)
			}
		}
	}})
	for _, name := range names {
		router, err := fanout.New(fanout.Config{Shards: shards, Now: clock})
		require.NoError(t, err)
		h := &testHall{room: &testRoom{Router: router}, ears: map[uint64]*testEar{}, since: map[uint64]uint64{}}
		h.Receiver = NewReceiver(ReceiverConfig{Name: name, Room: h.room, Now: clock, Report: func(r Report) {
			if !x.lossy() {
				h.reports = append(h.reports, r)
			}
		}})
		x.halls[name] = h
	}
	return x
}

func (x *trunkTest) close() {
	for _, h := range x.halls {
		h.Close()
		h.room.Close()
	}
}

// open opens an ear in a hall.
func (x *trunkTest) open(name string) uint64 {
	var number, since uint64
	number, since = x.stage.Add(name, 0, EarEvents{Ended: func() { delete(x.model.ears, number) }})
	h := x.halls[name]
	h.ears[number], h.since[number] = &testEar{}, since
	require.True(x.t, h.Add(number, since, 0, h.ears[number]))
	x.model.ears[number] = 0
	return number
}

// drop changes the model first: what is sent is after the change.
func (x *trunkTest) drop(number uint64) {
	delete(x.model.ears, number)
	x.stage.Close(number)
}

func (x *trunkTest) mute(talker uint32, muted bool) {
	if muted {
		x.model.muted[talker] = true
	} else {
		delete(x.model.muted, talker)
	}
	x.stage.Mute(talker, muted)
}

func (x *trunkTest) own(number uint64, talker uint32) {
	if _, there := x.model.ears[number]; there {
		x.model.ears[number] = talker
		x.stage.SetOwner(number, talker)
	}
}

// say has a talker send a frame, unless the stage has muted it: its mic is there.
func (x *trunkTest) say(talker uint32, seq uint16) {
	if !x.model.muted[talker] {
		f := fanout.Frame{Talker: talker, Source: 1, Seq: seq, Timestamp: uint32(seq) * 960, Payload: []byte{1}}
		x.stage.Send(nil, []fanout.Packet{{Frame: &f}})
	}
}

// deliver hands a hall a message, and checks that a frame that it plays is played by the rules
// that held when it was sent.
func (x *trunkTest) deliver(h *testHall, data []byte) {
	before := h.Stats().Frames
	h.Handle(data)
	if h.Stats().Frames == before {
		return
	}
	m, err := decode(data)
	require.NoError(x.t, err)
	want := x.at[m.seq]
	assert.False(x.t, want.muted[m.frame.Talker], "a muted talker is not played")
	assert.Equal(x.t, want.muted, h.mutes, "who is muted, at message %d", m.seq)
	assert.Equal(x.t, want.hold, h.room.hold)
	for number, e := range h.ears {
		owner, there := want.ears[number]
		switch {
		case there:
			assert.False(x.t, e.detached, "ear %d hears, at message %d", number, m.seq)
			assert.Equal(x.t, owner, e.owner, "who is left out of ear %d, at message %d", number, m.seq)
		case h.since[number] < m.seq:
			assert.True(x.t, e.detached, "ear %d was closed before message %d", number, m.seq)
		}
	}
}

// flush delivers all that is on the way, until nothing is.
func (x *trunkTest) flush() {
	for busy := true; busy; {
		busy = false
		for _, h := range x.halls {
			for len(h.messages) > 0 {
				data := h.messages[0]
				h.messages = h.messages[1:]
				x.deliver(h, data)
				busy = true
			}
			for len(h.reports) > 0 {
				r := h.reports[0]
				h.reports = h.reports[1:]
				x.stage.Heard(r)
				busy = true
			}
		}
	}
}

// agree checks that the halls are as the room of one process is.
func (x *trunkTest) agree() {
	for name, h := range x.halls {
		assert.False(x.t, h.Stats().Silent, "hall %s plays again", name)
		assert.Equal(x.t, x.model.muted, h.mutes)
		assert.Equal(x.t, x.model.hold, h.room.hold)
		for number, e := range h.ears {
			known := x.stage.ears[number]
			assert.Equal(x.t, known == nil, e.detached, "ear %d", number)
			if known != nil {
				assert.Equal(x.t, x.model.ears[number], e.owner)
			}
		}
	}
}

// loseEar ends an ear as its client does.
func (x *trunkTest) loseEar(number uint64) {
	for _, h := range x.halls {
		if e := h.ears[number]; e != nil && !e.detached {
			e.detached = true
			e.onEnd()
			delete(x.model.ears, number)
			delete(h.ears, number)
		}
	}
}

// pass lets time pass until the next tick.
func (x *trunkTest) pass() {
	x.now = x.now.Add(TickEvery)
	x.stage.Tick()
	for _, h := range x.halls {
		h.Tick()
	}
}

func newShards(t testing.TB) *fanout.Shards {
	t.Helper()
	shards, err := fanout.NewShards(fanout.ShardsConfig{Count: 1})
	require.NoError(t, err)
	t.Cleanup(shards.Close)
	return shards
}

// TestHallsPlayByTheRulesOfOneRoom loses, repeats, swaps and delays messages in both
// directions. Every frame that a hall plays is played by the rules that held in the room when
// it was sent; and when the network is good again, all are in agreement.
func TestHallsPlayByTheRulesOfOneRoom(t *testing.T) {
	shards := newShards(t)
	rapid.Check(t, func(t *rapid.T) {
		x := newTrunkTest(t, shards, "a", "b")
		defer x.close()
		percent := rapid.IntRange(0, 40).Draw(t, "percent lost")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		x.lossy = func() bool { return random.IntN(100) < percent }
		names := rapid.SampledFrom([]string{"a", "b"})
		talkers := rapid.Uint32Range(1, 4)
		seq := uint16(0)
		var numbers []uint64
		some := func() (number uint64) {
			if len(numbers) > 0 {
				number = rapid.SampledFrom(numbers).Draw(t, "ear")
			}
			return number
		}
		t.Repeat(map[string]func(*rapid.T){
			"open":  func(t *rapid.T) { numbers = append(numbers, x.open(names.Draw(t, "hall"))) },
			"close": func(*rapid.T) { x.drop(some()) },
			"own":   func(t *rapid.T) { x.own(some(), talkers.Draw(t, "talker")) },
			"mute":  func(t *rapid.T) { x.mute(talkers.Draw(t, "talker"), rapid.Bool().Draw(t, "muted")) },
			"hold": func(t *rapid.T) {
				x.model.hold = time.Duration(rapid.IntRange(0, 3).Draw(t, "hold")) * 20 * time.Millisecond
				x.stage.SetHold(x.model.hold)
			},
			"say": func(t *rapid.T) {
				seq++
				x.say(talkers.Draw(t, "talker"), seq)
			},
			"deliver": func(t *rapid.T) {
				h := x.halls[names.Draw(t, "hall")]
				for range min(len(h.messages), rapid.IntRange(1, 10).Draw(t, "messages")) {
					i := 0
					if x.lossy() { // out of turn
						i = random.IntN(len(h.messages))
					}
					data := h.messages[i]
					if !x.lossy() { // else it comes again
						h.messages = slices.Delete(h.messages, i, i+1)
					}
					x.deliver(h, data)
				}
			},
			"report": func(t *rapid.T) {
				h := x.halls[names.Draw(t, "hall")]
				if len(h.reports) > 0 {
					x.stage.Heard(h.reports[0])
					h.reports = h.reports[1:]
				}
			},
			"pass":        func(*rapid.T) { x.pass() },
			"lose an ear": func(*rapid.T) { x.loseEar(some()) },
		})
		x.lossy = func() bool { return false }
		for _, name := range []string{"a", "b"} { // a hall may have been given up for its silence
			numbers = append(numbers, x.open(name))
		}
		// What the stage gave up with a hall is gone.
		for range 3 * snapshotEvery {
			x.pass()
			x.flush()
		}
		x.agree()
	})
}

func TestHallIsSilentUntilItHasASnapshot(t *testing.T) {
	for sentence, fault := range map[string]func(x *trunkTest){
		"a message is lost": func(x *trunkTest) {
			x.lossy = func() bool { return true }
			x.say(1, 100)
			x.lossy = func() bool { return false }
		},
		"an order is lost": func(x *trunkTest) {
			x.lossy = func() bool { return true }
			x.mute(2, true)
			x.lossy = func() bool { return false }
		},
		"nothing comes for more than a second": func(x *trunkTest) {
			x.now = x.now.Add(silentAfter + time.Millisecond)
			x.halls["a"].Tick()
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			x := newTrunkTest(t, newShards(t), "a")
			defer x.close()
			x.open("a")
			x.pass()
			x.flush()
			x.say(1, 1)
			x.flush()
			assert.EqualValues(t, 1, x.halls["a"].Stats().Frames)
			fault(x)
			x.halls["a"].reports = nil
			x.say(1, 101)
			h := x.halls["a"]
			h.Handle(h.messages[0])
			h.messages = nil
			assert.True(t, h.Stats().Silent)
			assert.EqualValues(t, 1, h.Stats().Frames, "no frame passes")
			assert.EqualValues(t, 1, h.Stats().Gaps)
			x.pass()
			x.flush()
			x.say(1, 102)
			x.flush()
			assert.EqualValues(t, 2, h.Stats().Frames, "with a snapshot it plays again")
		})
	}
}

func TestLateFramesAreDropped(t *testing.T) {
	x := newTrunkTest(t, newShards(t), "a")
	defer x.close()
	x.open("a")
	x.pass()
	x.flush()
	for i, delay := range []time.Duration{30, 10, 10 + 200, 10 + 201, 10} {
		x.say(1, uint16(i))
		x.now = x.now.Add(delay * time.Millisecond)
		x.flush()
	}
	assert.EqualValues(t, 1, x.halls["a"].Stats().Late, "200 ms more than the quickest is the most")
	assert.EqualValues(t, 4, x.halls["a"].Stats().Frames)
}

func TestStageGivesUpASilentHall(t *testing.T) {
	x := newTrunkTest(t, newShards(t), "a", "b")
	defer x.close()
	lost := 0
	for _, name := range []string{"a", "b"} {
		x.stage.Add(name, 0, EarEvents{Ended: func() { lost++ }})
	}
	x.flush()
	x.now = x.now.Add(2 * goneAfter)
	assert.Empty(t, x.stage.Tick(), "it stood still itself")
	assert.Zero(t, lost)
	silent := x.halls["a"]
	var gone []string
	for range int(goneAfter/TickEvery) + 1 {
		x.now = x.now.Add(TickEvery)
		x.halls["b"].Tick()
		x.flush()
		silent.reports = nil
		gone = append(gone, x.stage.Tick()...)
	}
	assert.Equal(t, []string{"a"}, gone)
	assert.Equal(t, 1, lost, "its ear is lost, and no other")

	silent.ears[9] = &testEar{}
	assert.True(t, silent.Add(9, 0, 0, silent.ears[9]))
	x.pass()
	x.flush()
	assert.True(t, silent.ears[9].detached, "when it is back it closes what it has")
}

// A hall that hears its stage and is not heard is given up: whom the stage takes for ended hears
// no more, so that who is banned meanwhile does not, either.
func TestHallThatIsNotHeardPlaysToNobody(t *testing.T) {
	x := newTrunkTest(t, newShards(t), "a", "b")
	defer x.close()
	x.open("a")
	x.open("b")
	x.pass()
	x.flush()
	for range 2 * goneAfter / TickEvery {
		x.pass()
		x.halls["a"].reports = nil
		x.flush()
	}
	for _, e := range x.halls["a"].ears {
		assert.True(t, e.detached)
	}
	for _, e := range x.halls["b"].ears {
		assert.False(t, e.detached)
	}
}

// A hall that will close has its ears moved: each once, not all at the same time, and no other hall's.
func TestEarsOfAHallThatWillCloseAreMoved(t *testing.T) {
	x := newTrunkTest(t, newShards(t), "a", "b")
	defer x.close()
	moved := map[string]int{}
	for range 2*movesPerTick + 7 {
		for _, name := range []string{"a", "b"} {
			x.stage.Add(name, 0, EarEvents{Ended: func() {}, Move: func() { moved[name]++ }})
		}
	}
	leaving := true
	x.halls["a"].cfg.Leaving = func() bool { return leaving }
	tick := func() int {
		x.now = x.now.Add(TickEvery)
		for _, h := range x.halls {
			h.Tick()
		}
		x.flush()
		x.stage.Tick()
		return moved["a"]
	}
	assert.Equal(t, movesPerTick, tick())
	leaving = false
	assert.Equal(t, movesPerTick, tick(), "it stays, after all")
	leaving = true
	assert.Equal(t, 2*movesPerTick, tick())
	assert.Equal(t, 2*movesPerTick+7, tick())
	assert.Equal(t, 2*movesPerTick+7, tick(), "nobody is asked twice")
	assert.Zero(t, moved["b"])
}

// Of ears that end at the same time each is told and closed once, however late what is said comes:
// else it drowns what is heard in all halls.
func TestEarsThatEndTogetherAreClosedOnce(t *testing.T) {
	const ears = 200
	for _, lost := range []bool{false, true} {
		x := newTrunkTest(t, newShards(t), "a", "b")
		defer x.close()
		x.open("b")
		for range ears {
			x.open("a")
		}
		tick := func() {
			x.now = x.now.Add(TickEvery)
			for _, h := range x.halls {
				h.Tick()
			}
			x.stage.Tick()
		}
		tick()
		x.flush()
		before, a := x.stage.seq, x.halls["a"]
		for number, e := range a.ears {
			delete(x.model.ears, number)
			e.detached = true
			e.onEnd()
		}
		told := 0
		for range 10 { // each takes a tick on its way
			reports := a.reports
			a.reports = nil
			tick()
			for _, r := range reports {
				told += len(r.Ended)
				x.stage.Heard(r)
			}
			if lost { // what is answered to it comes to nothing
				a.messages, lost = nil, false
			}
			for _, data := range a.messages {
				x.deliver(a, data)
			}
			a.messages = nil
		}
		assert.LessOrEqual(t, int(x.stage.seq-before), ears+30, "closes, ticks and a snapshot or two")
		assert.LessOrEqual(t, told, 6*ears, "with each tick until they are closed")
		assert.Empty(t, a.ended)
		left, _ := x.stage.Ears()
		assert.Equal(t, 1, left)
		x.flush()
		x.agree()
	}
}

func TestSettledWaitsForHallsThatAreThere(t *testing.T) {
	x := newTrunkTest(t, newShards(t), "a", "b")
	defer x.close()
	number := x.open("a")
	x.open("b")
	x.pass()
	x.flush()
	x.drop(number)
	settled := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		return x.stage.Settled(ctx)
	}
	assert.False(t, settled(), "no hall has answered")
	x.flush()
	assert.True(t, settled())
	assert.True(t, x.halls["a"].ears[number].detached)
	x.stage.Mute(1, true)
	assert.False(t, settled())
	x.stage.Heard(Report{Hall: "a", Gone: true})
	x.stage.Heard(Report{Hall: "b", Gone: true})
	assert.True(t, settled(), "halls that are gone are not waited for")
}

func TestEarThatWasClosedBeforeItOpenedStaysClosed(t *testing.T) {
	x := newTrunkTest(t, newShards(t), "a")
	defer x.close()
	number, since := x.stage.Add("a", 0, EarEvents{Ended: func() {}})
	x.stage.Close(number)
	x.flush()
	assert.False(t, x.halls["a"].Add(number, since, 0, &testEar{}))
}

func FuzzDecode(f *testing.F) {
	for _, m := range []message{
		{kind: kindFrame, seq: 1, frame: fanout.Frame{Talker: 1, Payload: []byte{1}}},
		{kind: kindSnapshot, seq: 2, hall: "a", mutes: []uint32{1}, ears: []earState{{1, 2}}},
		{kind: kindOwner, seq: 3, ear: 1, talker: 2}, {kind: kindTick, seq: 4}, {kind: kindMute, seq: 5, talker: 1, muted: true},
		{kind: kindHold, seq: 6, hold: time.Second}, {kind: kindClose, seq: 7, ear: 1}, {kind: kindEnd, seq: 8},
	} {
		f.Add(m.encode())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(data)
		if err != nil {
			return
		}
		again, err := decode(m.encode())
		require.NoError(t, err)
		assert.Equal(t, m, again)
	})
}
