package cluster

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// voters is nodes whose beats a test passes on, each with a clock of its own.
type voters struct {
	ids    []string
	nodes  map[string]*quorum
	offset map[string]time.Duration
	now    time.Duration
	beats  map[string]time.Duration // when each says something next
	stuck  map[string]bool
	cut    map[[2]string]bool // from, to
	late   []delivery
}

type delivery struct {
	at time.Duration
	to string
	beat
}

func newVoters(n int) *voters {
	v := &voters{nodes: map[string]*quorum{}, offset: map[string]time.Duration{}, beats: map[string]time.Duration{}, stuck: map[string]bool{}, cut: map[[2]string]bool{}}
	for i := range n {
		id := string(rune('a' + i))
		v.ids = append(v.ids, id)
		v.nodes[id] = newQuorum(id)
		v.offset[id] = time.Duration(i) * time.Hour
		v.beats[id] = time.Duration(i*60) * time.Millisecond // not all at once
	}
	return v
}

func (v *voters) clock(id string) time.Duration { return v.now + v.offset[id] }

func (v *voters) speaks(id string) bool {
	return !v.stuck[id] && v.clock(id) < v.nodes[id].lease(v.ids)
}

func (v *voters) gone(at, id string) bool {
	return !v.stuck[at] && v.nodes[at].gone(id, v.clock(at), v.ids)
}

// run lets time pass in steps, and calls check after each. Messages take delay.
func (v *voters) run(d, delay time.Duration, check func()) {
	const step = 20 * time.Millisecond
	for end := v.now + d; v.now < end; v.now += step {
		v.late = slices.DeleteFunc(v.late, func(m delivery) bool {
			if m.at > v.now || v.stuck[m.to] { // who hangs reads it later
				return false
			}
			v.nodes[m.to].hear(m.beat, v.clock(m.to))
			return true
		})
		for _, id := range v.ids {
			if v.stuck[id] || v.now < v.beats[id] {
				continue
			}
			v.beats[id] = v.now + beatEvery
			b := v.nodes[id].next(v.clock(id), v.ids, true)
			b.Heard, b.Silent = maps.Clone(b.Heard), slices.Clone(b.Silent)
			for _, to := range v.ids {
				if to != id && !v.cut[[2]string{id, to}] {
					v.late = append(v.late, delivery{v.now + delay, to, b})
				}
			}
		}
		check()
	}
}

// cutOff cuts a node's messages off, both ways or one way.
func (v *voters) cutOff(id string, out, in bool) {
	for _, other := range v.ids {
		v.cut[[2]string{id, other}], v.cut[[2]string{other, id}] = out, in
	}
}

func TestNodeGoesOnWhenOthersJoinIt(t *testing.T) {
	one, two, three := []string{"a"}, []string{"a", "b"}, []string{"a", "b", "c"}
	const joined = time.Minute
	for _, c := range []struct {
		name   string
		before []string
		away   bool
		lease  time.Duration
	}{
		{"two at once", one, false, joined + LeaseFor},
		{"a third", two, false, joined + LeaseFor},
		{"others that were three without it: it was away", two, true, 0},
		{"it has always been one of three", three, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newQuorum("a")
			q.count(c.before, joined-beatEvery, false)
			q.count(three, joined, c.away)
			assert.Equal(t, c.lease, q.lease(three), "nobody has heard it yet")
			q.count(three, joined+beatEvery, false)
			assert.Equal(t, c.lease, q.lease(three), "and nobody ever does")
		})
	}
}

func TestQuorumGoesOnWithoutANode(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes int
		lose  func(v *voters)
		back  func(v *voters)
		gone  bool // others know that it is, in time
	}{
		{"one of three hangs", 3, func(v *voters) { v.stuck["a"] = true }, func(v *voters) { v.stuck["a"] = false }, true},
		{"one of five hangs", 5, func(v *voters) { v.stuck["a"] = true }, func(v *voters) { v.stuck["a"] = false }, true},
		{"one of three is cut off", 3, func(v *voters) { v.cutOff("a", true, true) }, func(v *voters) { v.cutOff("a", false, false) }, true},
		{"one of three is not heard", 3, func(v *voters) { v.cutOff("a", true, false) }, func(v *voters) { v.cutOff("a", false, false) }, true},
		{"one of three hears nothing: the others hear it, and it is silent by itself", 3, func(v *voters) { v.cutOff("a", false, true) }, func(v *voters) { v.cutOff("a", false, false) }, false},
		{"two of three do not hear each other: both are heard by the third", 3, func(v *voters) { v.cut[[2]string{"a", "b"}], v.cut[[2]string{"b", "a"}] = true, true }, func(v *voters) { v.cutOff("a", false, false) }, false},
		{"one of two hangs: the other can't know", 2, func(v *voters) { v.stuck["a"] = true }, func(v *voters) { v.stuck["a"] = false }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVoters(c.nodes)
			v.run(2*time.Second, 10*time.Millisecond, func() {})
			v.run(time.Minute, 10*time.Millisecond, func() {
				for _, id := range v.ids {
					assert.True(t, v.speaks(id))
					assert.False(t, v.gone("b", id))
				}
			})
			c.lose(v)
			lost, known := v.now, time.Duration(0)
			v.run(10*time.Second, 10*time.Millisecond, func() {
				if v.gone("b", "a") && known == 0 {
					known = v.now - lost
				}
				for _, other := range v.ids[1:] {
					assert.True(t, v.speaks(other), "the majority goes on")
				}
				if v.gone("b", "a") || v.gone(v.ids[len(v.ids)-1], "a") {
					assert.False(t, v.speaks("a"))
				}
			})
			assert.Equal(t, c.gone, known > 0)
			assert.Less(t, known, 2300*time.Millisecond)
			c.back(v)
			v.run(6*time.Second, 10*time.Millisecond, func() {})
			v.run(10*time.Second, 10*time.Millisecond, func() {
				for _, id := range v.ids {
					assert.True(t, v.speaks(id), "all are back")
					assert.False(t, v.gone("b", id))
				}
			})
		})
	}
}

// A minority is silent within a second and a beat, whatever it was told before.
func TestQuorumOfAMinorityIsSilent(t *testing.T) {
	v := newVoters(3)
	v.run(5*time.Second, 10*time.Millisecond, func() {})
	v.cutOff("a", true, true)
	v.run(LeaseFor, 10*time.Millisecond, func() {})
	v.run(time.Minute, 10*time.Millisecond, func() {
		assert.False(t, v.speaks("a"))
		assert.False(t, v.gone("a", "b"), "it knows nothing of the others")
	})
}

// A node that is back is not counted as heard before the promises are over, since somebody who does
// not know that it is back may act on them.
func TestQuorumKeepsItsPromises(t *testing.T) {
	v := newVoters(3)
	v.run(3*time.Second, 0, func() {})
	v.cutOff("a", true, true)
	for !v.gone("b", "a") {
		v.run(20*time.Millisecond, 0, func() {})
	}
	v.cutOff("b", false, true) // what it says is heard, and it does not hear that a is back
	v.cut[[2]string{"a", "c"}], v.cut[[2]string{"c", "a"}] = false, false
	both := 0
	v.run(10*time.Second, 0, func() {
		if v.gone("b", "a") {
			both++
			assert.False(t, v.speaks("a"))
		}
	})
	assert.Greater(t, both, 50, "for a second or more b goes by what it knows")
	assert.True(t, v.speaks("a"), "a and c are a majority")
	assert.False(t, v.speaks("b"))
}

// Whatever is lost, late or hangs: who a majority says is gone does not speak, as long as it says so.
func TestQuorumNeverLetsTwoSpeak(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := newVoters(rapid.IntRange(3, 5).Draw(t, "nodes"))
		check := func() {
			for _, at := range v.ids {
				for _, id := range v.ids {
					if at != id && v.gone(at, id) && v.speaks(id) {
						t.Fatalf("%s says at %v that %s is gone, which speaks", at, v.now, id)
					}
				}
			}
		}
		v.run(time.Second, 0, check)
		for range rapid.IntRange(1, 40).Draw(t, "changes") {
			id := rapid.SampledFrom(v.ids).Draw(t, "id")
			switch rapid.IntRange(0, 3).Draw(t, "change") {
			case 0:
				v.stuck[id] = !v.stuck[id]
			case 1:
				v.cutOff(id, rapid.Bool().Draw(t, "out"), rapid.Bool().Draw(t, "in"))
			case 2:
				other := rapid.SampledFrom(v.ids).Draw(t, "other")
				v.cut[[2]string{id, other}] = rapid.Bool().Draw(t, "cut")
			case 3: // as it was
			}
			delay := time.Duration(rapid.SampledFrom([]int{0, 0, 0, 20, 200, 900, 2500}).Draw(t, "delay")) * time.Millisecond
			v.run(time.Duration(rapid.SampledFrom([]int{1, 2, 5, 10, 17, 20, 40}).Draw(t, "for"))*100*time.Millisecond, delay, check)
		}
	})
}

func TestQuorumForgetsNodesThatHaveLeft(t *testing.T) {
	v := newVoters(4)
	v.run(3*time.Second, 0, func() {})
	v.ids = v.ids[:3]
	v.stuck["d"] = true
	v.run(5*time.Second, 0, func() {
		assert.False(t, v.gone("a", "d"), fmt.Sprint("it is none, at ", v.now))
		assert.True(t, v.speaks("a"))
	})
	assert.Len(t, v.nodes["a"].peers, 2)
}
