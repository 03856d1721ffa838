package score

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A delayer is what delays packets of a sound server: it says when a packet comes that would have come at a time, and
// by how much what came at a time may have been delayed.
type delayer struct {
	comes func(at time.Duration) time.Duration
	by    func(at time.Duration) time.Duration
}

// span is how finely it is known when packets were delayed.
const span = 1280 * time.Millisecond

// knows says that of each span, with what it and its neighbours' causes may do.
func knows(amounts map[int]time.Duration) func(time.Duration) time.Duration {
	return func(at time.Duration) (by time.Duration) {
		for i := int(at/span) - 1; i <= int(at/span)+1; i++ {
			by += amounts[i]
		}
		return by
	}
}

// stops are pauses of the machine: what comes in one comes at its end.
func stops(random *rand.Rand, share float64) delayer {
	amounts, ends := map[int]time.Duration{}, map[int][2]time.Duration{}
	for i := range int(seconds*time.Second/span) + 1 {
		if random.Float64() < share {
			amounts[i] = 10*time.Millisecond + time.Duration(random.Int64N(int64(89*time.Millisecond)))
			begin := time.Duration(i)*span + time.Duration(random.Int64N(int64(span)))
			ends[i] = [2]time.Duration{begin, begin + amounts[i]}
		}
	}
	return delayer{func(at time.Duration) time.Duration {
		for _, e := range ends {
			if at >= e[0] && at < e[1] {
				at = e[1]
			}
		}
		return at
	}, knows(amounts)}
}

// behind is a server that has waited for cores, all through some spans.
func behind(random *rand.Rand, share float64) delayer {
	amounts := map[int]time.Duration{}
	for i := range int(seconds*time.Second/span) + 1 {
		if random.Float64() < share {
			amounts[i] = time.Duration(random.Int64N(int64(99 * time.Millisecond)))
		}
	}
	latest := time.Duration(0) // it never overtakes itself
	return delayer{func(at time.Duration) time.Duration {
		latest = max(latest, at+amounts[int(at/span)])
		return latest
	}, knows(amounts)}
}

// lateFrames are some that went out late, each by itself, and those after them no sooner.
func lateFrames(random *rand.Rand, share float64) delayer {
	latest, amounts := time.Duration(0), map[int]time.Duration{}
	return delayer{func(at time.Duration) time.Duration {
		late := time.Duration(0)
		if random.Float64() < share {
			late = time.Duration(random.Int64N(int64(99 * time.Millisecond)))
		}
		latest = max(latest, at+late)
		i := int(latest / span)
		amounts[i] = max(amounts[i], latest-at)
		return latest
	}, knows(amounts)}
}

// best is the score at best of packets that may have been delayed.
func best(t testing.TB, said []float64, packets []Packet, by func(time.Duration) time.Duration) float64 {
	t.Helper()
	patches := Compare(said, heard(t, packets), 3*SampleRate, nil)
	if sooner := Sooner(packets, by); sooner != nil {
		for i, p := range Compare(said, heard(t, sooner), 3*SampleRate, nil) {
			patches[i].Similarity = AtBest(patches[i], p)
		}
	}
	return Opinion(Mean(patches))
}

// Whatever delays a sound server's packets, and whatever its network does by itself, they sound at best no worse than they would
// have without.
func TestSoonerUndoesWhatDelayedASoundServersPackets(t *testing.T) {
	t.Parallel()
	own := payloads(t, "speech.ogg")
	said := decoded(t, own)
	helped := 0
	for name, delays := range map[string]func(*rand.Rand, float64) delayer{"stops": stops, "behind": behind, "late frames": lateFrames} {
		for _, network := range []struct {
			jitter, rise time.Duration
			lost         float64
		}{{0, 0, 0}, {5 * time.Millisecond, 60 * time.Millisecond, 0}, {40 * time.Millisecond, 0, 0.03}} {
			t.Run(fmt.Sprintf("%s, jitter of %v, %v more in the middle, %v lost", name, network.jitter, network.rise, network.lost), func(t *testing.T) {
				random := rand.New(rand.NewPCG(8, uint64(network.jitter)))
				d := delays(random, 0.4)
				var undelayed, delayed []Packet
				for _, p := range inOrder(sent(own, func(i int) (time.Duration, bool) {
					by := 7*time.Millisecond + network.rise*time.Duration(i*2/frames) + time.Duration(random.Int64N(int64(network.jitter)+1))
					return by, random.Float64() >= network.lost
				})) {
					undelayed = append(undelayed, p)
					p.At = d.comes(p.At)
					delayed = append(delayed, p)
				}
				without, with, atBest := scored(said, heard(t, undelayed)), scored(said, heard(t, delayed)), best(t, said, delayed, d.by)
				t.Logf("%.3f undelayed, %.3f delayed, %.3f at best", without, with, atBest)
				assert.GreaterOrEqual(t, atBest, without)
				if with < without-0.02 {
					helped++
				}
			})
		}
	}
	assert.GreaterOrEqual(t, helped, 3, "the delays were heard")
}

// evenly are n packets, 20 ms apart.
func evenly(n int) (packets []Packet) {
	for i := range n {
		packets = append(packets, Packet{Sequence: uint16(65_500 + i), Timestamp: uint32(1<<32 - 5000 + i*frameTicks), At: time.Second + time.Duration(i)*20*time.Millisecond})
	}
	return packets
}

func TestSoonerMovesPacketsNoFurtherThanTheFastest(t *testing.T) {
	all := func(by time.Duration) func(time.Duration) time.Duration {
		return func(time.Duration) time.Duration { return by }
	}
	const delayed = 30 * time.Millisecond
	late := func(n int, are func(i int) bool) []Packet {
		packets := evenly(n)
		for i := range packets {
			if are(i) {
				packets[i].At += delayed
			}
		}
		return packets
	}
	tenth := func(i int) bool { return i%10 == 5 }
	for _, c := range []struct {
		sentence string
		packets  []Packet
		by       func(time.Duration) time.Duration
		most     time.Duration // by how much later than at one pace they are then, from the first on
		moved    bool
	}{
		{"what is late comes when it would have", late(100, tenth), all(80 * time.Millisecond), 0, true},
		{"by no more than it may have been delayed", late(100, tenth), all(20 * time.Millisecond), 10 * time.Millisecond, true},
		{"where nothing delayed it, it stays", late(100, tenth), all(0), delayed, false},
		{"nor is it moved where nothing is late", evenly(100), all(80 * time.Millisecond), 0, false},
		{"of few packets it is not known how fast they may be", late(20, func(int) bool { return true }), all(20 * time.Millisecond), 10 * time.Millisecond, true},
		{"what came at another time stays", late(100, tenth), func(at time.Duration) time.Duration {
			if at < 2*time.Second {
				return delayed
			}
			return 0
		}, delayed, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			sooner := Sooner(c.packets, c.by)
			assert.Equal(t, c.moved, sooner != nil)
			if sooner == nil {
				sooner = c.packets
			} else {
				assert.IsNonDecreasing(t, times(sooner))
			}
			require.Len(t, sooner, len(c.packets))
			most := time.Duration(0)
			for _, p := range sooner {
				i := time.Duration(uint16(p.Sequence - 65_500))
				most = max(most, p.At-time.Second-i*20*time.Millisecond)
			}
			assert.Equal(t, c.most, most)
		})
	}
}

func times(packets []Packet) (all []time.Duration) {
	for _, p := range packets {
		all = append(all, p.At)
	}
	return all
}

// Each talker, section and clock of time stamps has its own pace.
func TestSoonerTakesStreamsApart(t *testing.T) {
	fast, slow := evenly(60), evenly(60)
	for name, change := range map[string]func(*Packet){
		"section": func(p *Packet) { p.Section = 1 },
		"talker":  func(p *Packet) { p.Talker = 9 },
		"stamps":  func(p *Packet) { p.Timestamp += 1 << 30 },
	} {
		t.Run(name, func(t *testing.T) {
			after := append([]Packet(nil), slow...)
			for i := range after {
				change(&after[i])
				after[i].At += 2300 * time.Millisecond // and so much later than the others, by their stamps
			}
			assert.Nil(t, Sooner(append(append([]Packet(nil), fast...), after...), func(time.Duration) time.Duration { return time.Second }))
		})
	}
}

func TestRestampedSeesTimeStampsThatAreNotTheFrames(t *testing.T) {
	always := func(time.Duration) time.Duration { return time.Millisecond }
	for _, c := range []struct {
		sentence string
		change   func([]Packet) []Packet
		by       func(time.Duration) time.Duration
		is       bool
	}{
		{"frames as they were sent", func(p []Packet) []Packet { return p }, always, false},
		{"a pause between turns", func(p []Packet) []Packet {
			for i := range p[50:] {
				p[50+i].Timestamp += 100 * frameTicks
			}
			return p
		}, always, false},
		{"some of them lost", func(p []Packet) []Packet { return append(p[:20], p[25:]...) }, always, false},
		{"in another order, and twice", func(p []Packet) []Packet { p[5], p[6], p[8] = p[6], p[5], p[7]; return p }, always, false},
		{"another talker", func(p []Packet) []Packet {
			for i := range p[50:] {
				p[50+i].Talker, p[50+i].Timestamp = 3, p[50+i].Timestamp+77
			}
			return p
		}, always, false},
		{"a frame was late, and its stamp says so", func(p []Packet) []Packet { p[50].Timestamp += 500; return p }, always, true},
		{"so does one that is rounded", func(p []Packet) []Packet { p[50].Timestamp += frameTicks; return p }, always, true},
		{"where nothing was late", func(p []Packet) []Packet { p[50].Timestamp += 500; return p }, func(time.Duration) time.Duration { return 0 }, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			assert.Equal(t, c.is, Restamped(c.change(evenly(100)), c.by))
		})
	}
}
