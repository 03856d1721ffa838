package score

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/thesyncim/gopus"

	"github.com/earshot-audio/earshot/internal/testaudio"
)

// seconds is how long the sounds of the tests are, and frames the same in frames.
const (
	seconds = 10
	frames  = 50 * seconds
)

// voice decodes the beginning of a voice.
func voice(t testing.TB, name string) []float64 {
	t.Helper()
	return decoded(t, payloads(t, name))
}

// payloads are the packets of the beginning of a voice.
func payloads(t testing.TB, name string) (all [][]byte) {
	t.Helper()
	for _, f := range testaudio.Clip(t, name).Frames[:frames] {
		all = append(all, f.Payload)
	}
	return all
}

func decoded(t testing.TB, packets [][]byte) (sound []float64) {
	t.Helper()
	d, err := NewDecoder()
	require.NoError(t, err)
	for _, p := range packets {
		sound = append(sound, d.Frame(p)...)
	}
	return sound
}

// encoded encodes a sound at a bit rate.
func encoded(t testing.TB, sound []float64, rate int) (packets [][]byte) {
	t.Helper()
	e, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: SampleRate, Channels: 1, Application: gopus.ApplicationVoIP})
	require.NoError(t, err)
	require.NoError(t, e.SetBitrate(rate))
	one, bytes := make([]float32, frameSamples), make([]byte, 4000)
	for from := 0; from+frameSamples <= len(sound); from += frameSamples {
		for i := range one {
			one[i] = float32(sound[from+i])
		}
		n, err := e.Encode(one, bytes)
		require.NoError(t, err)
		packets = append(packets, append([]byte(nil), bytes[:n]...))
	}
	return packets
}

// A way says how much later packet i comes, and whether it does.
type way func(i int) (delay time.Duration, ok bool)

// sent is packets as they come.
func sent(all [][]byte, by way) (packets []Packet) {
	for i, p := range all {
		delay, ok := by(i)
		if ok {
			packets = append(packets, Packet{Timestamp: 5000 + uint32(i*frameTicks), At: time.Duration(i)*20*time.Millisecond + delay, Payload: p})
		}
	}
	return packets
}

func smooth(int) (time.Duration, bool) { return 7 * time.Millisecond, true }

// heard plays packets.
func heard(t testing.TB, packets []Packet) []float64 {
	t.Helper()
	sound, err := Play(packets, 0, seconds*time.Second+3*time.Second)
	require.NoError(t, err)
	return sound
}

// scored is the opinion of what was heard.
func scored(said, heard []float64) float64 {
	return Opinion(Mean(Compare(said, heard, 3*SampleRate, nil)))
}

// losing drops a share of packets, in bursts of a mean length.
func losing(share, length float64) way {
	random, lost := rand.New(rand.NewPCG(3, 4)), false
	return func(int) (time.Duration, bool) {
		if lost {
			lost = random.Float64() >= 1/length
		} else {
			lost = random.Float64() < share/(1-share)/length
		}
		return 7 * time.Millisecond, !lost
	}
}

func lowPass(sound []float64, highest float64) []float64 {
	const taps = 129
	var filter [taps]float64
	for i := range filter {
		n, v := float64(i-taps/2), 2*highest/SampleRate
		if n != 0 {
			v = math.Sin(2*math.Pi*highest/SampleRate*n) / (math.Pi * n)
		}
		filter[i] = v * (0.54 + 0.46*math.Cos(2*math.Pi*n/taps))
	}
	filtered := make([]float64, len(sound))
	for i := range filtered {
		for j, tap := range filter {
			if k := i + j - taps/2; k >= 0 && k < len(sound) {
				filtered[i] += tap * sound[k]
			}
		}
	}
	return filtered
}

// clipped cuts off what is above a share of the greatest sample.
func clipped(sound []float64, share float64) []float64 {
	peak := 0.0
	for _, v := range sound {
		peak = max(peak, math.Abs(v))
	}
	all := make([]float64, len(sound))
	for i, v := range sound {
		all[i] = min(max(v, -share*peak), share*peak)
	}
	return all
}

// Each row gets worse from left to right, and so must the score: by more than half a hundredth.
func TestScoreRanksDegradations(t *testing.T) {
	t.Parallel()
	const good = 64_000
	own, said := payloads(t, "speech.ogg"), voice(t, "speech.ogg")
	coded := func(sound []float64, rate int) []Packet { return sent(encoded(t, sound, rate), smooth) }
	for name, row := range map[string][]func() []Packet{
		"bit rate": {
			func() []Packet { return coded(said, 64_000) }, func() []Packet { return coded(said, 32_000) },
			func() []Packet { return coded(said, 16_000) }, func() []Packet { return coded(said, 12_000) },
			func() []Packet { return coded(said, 6_000) },
		},
		"loss by chance": {
			func() []Packet { return sent(own, losing(0, 1)) }, func() []Packet { return sent(own, losing(0.01, 1)) },
			func() []Packet { return sent(own, losing(0.03, 1)) }, func() []Packet { return sent(own, losing(0.1, 1)) },
			func() []Packet { return sent(own, losing(0.3, 1)) },
		},
		"loss in bursts of four": {
			func() []Packet { return sent(own, losing(0.01, 4)) }, func() []Packet { return sent(own, losing(0.03, 4)) },
			func() []Packet { return sent(own, losing(0.1, 4)) }, func() []Packet { return sent(own, losing(0.3, 4)) },
		},
		"by how much the delay rises at once, in the middle": {
			func() []Packet { return sent(own, rises(0)) }, func() []Packet { return sent(own, rises(200*time.Millisecond)) },
			func() []Packet { return sent(own, rises(time.Second)) },
		},
		"bandwidth": {
			func() []Packet { return coded(said, good) }, func() []Packet { return coded(lowPass(said, 6000), good) },
			func() []Packet { return coded(lowPass(said, 3400), good) }, func() []Packet { return coded(lowPass(said, 1500), good) },
		},
		"clipping": {
			func() []Packet { return coded(said, good) }, func() []Packet { return coded(clipped(said, 0.5), good) },
			func() []Packet { return coded(clipped(said, 0.2), good) }, func() []Packet { return coded(clipped(said, 0.05), good) },
		},
		"what has nothing to do with it": {
			func() []Packet { return sent(own, losing(0.3, 4)) }, func() []Packet { return sent(payloads(t, "guest.ogg"), smooth) },
			func() []Packet { return nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			last := 6.0
			for i, packets := range row {
				now := scored(said, heard(t, packets()))
				t.Logf("%d: %.3f", i, now)
				assert.Less(t, now, last-0.005, "%d in the row", i)
				last = now
			}
		})
	}
}

// rises has the delay rise in the middle.
func rises(by time.Duration) way {
	return func(i int) (time.Duration, bool) { return 7*time.Millisecond + by*time.Duration(i*2/frames), true }
}

func TestScoresOfKnownThings(t *testing.T) {
	t.Parallel()
	own, said := payloads(t, "speech.ogg"), voice(t, "speech.ogg")
	quiet, silence := make([]float64, len(said)), make([][]byte, frames)
	for i, v := range said {
		quiet[i] = v / 10
	}
	for i := range silence {
		silence[i] = []byte{0xf8, 0xff, 0xfe}
	}
	random := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct {
		sentence    string
		packets     []Packet
		least, most float64
	}{
		{"all packets, at one pace", sent(own, smooth), 4.85, 5},
		{"all packets, two seconds late", sent(own, func(int) (time.Duration, bool) { return 2 * time.Second, true }), 4.85, 5},
		{"with jitter of 60 ms, which the jitter buffer evens out", sent(own, func(int) (time.Duration, bool) {
			return time.Duration(random.Int64N(int64(60 * time.Millisecond))), true
		}), 4.85, 5},
		{"each packet twice", append(sent(own, smooth), sent(own, smooth)...), 4.85, 5},
		{"a tenth as loud, which is not judged", sent(encoded(t, quiet, 64_000), smooth), 4.8, 5},
		{"in two halves of each packet of 40 ms", paired(t, said), 4.6, 5},
		{"every other packet", sent(own, func(i int) (time.Duration, bool) { return 0, i%2 == 0 }), 2, 3.6},
		{"another voice", sent(payloads(t, "guest.ogg"), smooth), 1, 2},
		{"silence", sent(silence, smooth), 1, 1},
		{"what can't be decoded", sent(junk(random), smooth), 1, 1.6},
		{"nothing", nil, 1, 1},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			t.Parallel()
			got := scored(said, heard(t, inOrder(c.packets)))
			t.Logf("%.3f", got)
			assert.GreaterOrEqual(t, got, c.least)
			assert.LessOrEqual(t, got, c.most)
		})
	}
}

// paired is a sound in packets of 40 ms.
func paired(t testing.TB, sound []float64) (packets []Packet) {
	t.Helper()
	e, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: SampleRate, Channels: 1, Application: gopus.ApplicationVoIP})
	require.NoError(t, err)
	require.NoError(t, e.SetFrameSize(2*frameSamples))
	require.NoError(t, e.SetBitrate(32_000))
	one, bytes := make([]float32, 2*frameSamples), make([]byte, 4000)
	for i := 0; (i+2)*frameSamples <= len(sound); i += 2 {
		for j := range one {
			one[j] = float32(sound[i*frameSamples+j])
		}
		n, err := e.Encode(one, bytes)
		require.NoError(t, err)
		packets = append(packets, Packet{Timestamp: uint32(i * frameTicks), At: time.Duration(i) * 20 * time.Millisecond, Payload: append([]byte(nil), bytes[:n]...)})
	}
	return packets
}

// junk is packets of random bytes.
func junk(random *rand.Rand) (all [][]byte) {
	for range frames {
		p := make([]byte, 60)
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		all = append(all, p)
	}
	return all
}

// inOrder is packets in the order in which they come.
func inOrder(packets []Packet) []Packet {
	slices.SortStableFunc(packets, func(a, b Packet) int { return cmp.Compare(a.At, b.At) })
	return packets
}

// What it takes to score ten seconds of a probe.
func BenchmarkScore(b *testing.B) {
	said, packets := voice(b, "speech.ogg"), sent(payloads(b, "speech.ogg"), losing(0.03, 2))
	for b.Loop() {
		scored(said, heard(b, packets))
	}
}

// Whatever comes, it is played without a panic.
func FuzzPlay(f *testing.F) {
	f.Add([]byte{0x0b, 0x10, 3, 9, 0xff, 0x80, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		var packets []Packet
		at := time.Duration(0)
		for len(data) > 8 {
			n := min(int(data[0]%64), len(data)-8)
			at += time.Duration(data[1]) * time.Millisecond
			packets = append(packets, Packet{Section: int(data[2] % 2), Timestamp: binary.BigEndian.Uint32(data[3:]), At: at, Payload: data[8 : 8+n]})
			data = data[8+n:]
		}
		sound, err := Play(packets, 0, 2*time.Second)
		require.NoError(t, err)
		require.Len(t, sound, 2*SampleRate)
	})
}
