package mark

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/thesyncim/gopus"

	"github.com/earshot-audio/earshot/internal/fourier"
	"github.com/earshot-audio/earshot/internal/testaudio"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

// Codes, and recordings marked with them, which take long to make.
var (
	codeOne   = sync.OnceValue(func() *Code { return NewCode(1) })
	codeTwo   = sync.OnceValue(func() *Code { return NewCode(2) })
	codeThree = sync.OnceValue(func() *Code { return NewCode(3) })
	clipOne   = sync.OnceValues(func() (*speech.Clip, error) { return marked(codeOne(), "speech.ogg") })
	clipTwo   = sync.OnceValues(func() (*speech.Clip, error) { return marked(codeTwo(), "guest.ogg") })
)

func marked(c *Code, name string) (*speech.Clip, error) {
	clip, err := speech.Load(filepath.Join(testaudio.Dir(), name))
	if err != nil {
		return nil, err
	}
	return c.Mark(clip, 40)
}

// one is a marked recording, and its packets as they are sent.
func one(t *testing.T, of func() (*speech.Clip, error)) *speech.Clip {
	t.Helper()
	clip, err := of()
	require.NoError(t, err)
	require.Len(t, clip.Frames, Frames)
	return clip
}

// A mixer decodes packets, adds them up, and encodes the sum.
type mixer struct {
	t        *testing.T
	decoders []*gopus.Decoder
	encoder  *gopus.Encoder
}

func newMixer(t *testing.T, inputs, bitRate int) *mixer {
	t.Helper()
	m := &mixer{t: t}
	for range inputs {
		d, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(48_000, 1))
		require.NoError(t, err)
		m.decoders = append(m.decoders, d)
	}
	var err error
	m.encoder, err = gopus.NewEncoder(gopus.EncoderConfig{SampleRate: 48_000, Channels: 1, Application: gopus.ApplicationVoIP})
	require.NoError(t, err)
	require.NoError(t, m.encoder.SetBitrate(bitRate))
	return m
}

// mix makes a packet of one of each input; nil is one that was lost.
func (m *mixer) mix(packets ...[]byte) []byte {
	sum, part := make([]float32, 960), make([]float32, 5760)
	for i, p := range packets {
		n, err := m.decoders[i].Decode(p, part[:max(960, len(part)*min(1, len(p)))])
		require.NoError(m.t, err)
		for j := range min(n, len(sum)) {
			sum[j] += 0.7 * part[j]
		}
	}
	out := make([]byte, 4000)
	n, err := m.encoder.Encode(sum, out)
	require.NoError(m.t, err)
	return out[:n]
}

// heard is what a detector found of a code.
type heard struct {
	present, unsure, wrong int
	offsets                map[int]int
}

// listen has a detector find codes in n packets; lag is how many frames the packets are
// later than what is sent.
func listen(t *testing.T, codes []*Code, n, lag int, packet func(i int) []byte) []heard {
	t.Helper()
	all := make([]heard, len(codes))
	for i := range all {
		all[i].offsets = map[int]int{}
	}
	d, err := NewDetector(func(f Finding) {
		h := &all[f.Code]
		switch {
		case f.Frame != ((f.Hop-lag)%Frames+Frames)%Frames:
			h.wrong++
		case f.Presence == Present:
			h.present++
		case f.Presence == Unsure:
			h.unsure++
		}
		h.offsets[f.Offset]++
	})
	require.NoError(t, err)
	d.Codes(codes)
	for i := range n {
		now := func(int) (int, bool) { return (i + 1) * Hop, true }
		if p := packet(i); p != nil {
			require.NoError(t, d.Packet(p, now))
		} else {
			d.Missing(Hop, now)
		}
	}
	return all
}

func TestMarkIsFoundInWhatWasSent(t *testing.T) {
	t.Parallel()
	clip := one(t, clipOne)
	const n = 700 // more than a period
	all := listen(t, []*Code{codeOne(), codeTwo()}, n, 0, func(i int) []byte { return clip.Frames[i%Frames].Payload })
	assert.GreaterOrEqual(t, all[0].present, n-8, "%v", all[0])
	assert.Zero(t, all[0].wrong)
	assert.Len(t, all[0].offsets, 1)
	assert.Contains(t, all[0].offsets, 0, "the delay of the codec itself is known")
	assert.Zero(t, all[1].present+all[1].unsure+all[1].wrong, "the other's mark is not there")
}

func TestMarkSurvivesTranscoding(t *testing.T) {
	t.Parallel()
	clip := one(t, clipOne)
	for _, c := range []struct {
		bitRate int
		surely  float64
	}{{32_000, 0.98}, {24_000, 0.97}, {16_000, 0.94}} {
		m := newMixer(t, 1, c.bitRate)
		const n = 250
		h := listen(t, []*Code{codeOne()}, n, 0, func(i int) []byte { return m.mix(clip.Frames[i].Payload) })[0]
		t.Log(c.bitRate, h)
		assert.GreaterOrEqual(t, float64(h.present)/n, c.surely, "%v", h)
		assert.GreaterOrEqual(t, h.present+h.unsure, n-6, "%v", h)
		assert.Zero(t, h.wrong)
	}
}

func TestMarkSaysHowLateTheSoundIs(t *testing.T) {
	t.Parallel()
	clip := one(t, clipOne)
	for _, lag := range []int{10, 150} {
		m := newMixer(t, 1, 24_000)
		h := listen(t, []*Code{codeOne()}, lag+150, lag, func(i int) []byte {
			if i < lag {
				return []byte{0xf8, 0xff, 0xfe}
			}
			return m.mix(clip.Frames[i-lag].Payload)
		})[0]
		assert.Greater(t, h.present, 110, "%d: %v", lag, h)
		assert.Zero(t, h.wrong)
		for offset := range h.offsets {
			assert.InDelta(t, -codecDelay, offset, 4, "a server that transcodes adds the codec's delay")
		}
	}
}

func TestMarksOfAMixAreToldApart(t *testing.T) {
	t.Parallel()
	codes := []*Code{codeOne(), codeTwo(), codeThree()}
	a, b := one(t, clipOne), one(t, clipTwo)
	m := newMixer(t, 2, 24_000)
	const n = 250
	all := listen(t, codes, n, 0, func(i int) []byte { return m.mix(a.Frames[i].Payload, b.Frames[i].Payload) })
	t.Log(all)
	for _, h := range all[:2] {
		assert.Greater(t, h.present+h.unsure, n*6/10, "%v", h)
		assert.LessOrEqual(t, h.wrong, 1)
	}
	assert.Zero(t, all[2].present+all[2].unsure+all[2].wrong)
}

func TestMarkIsMissingWhereTheServerLostIt(t *testing.T) {
	t.Parallel()
	clip := one(t, clipOne)
	m := newMixer(t, 1, 24_000)
	const n, gaps = 300, 4
	h := listen(t, []*Code{codeOne()}, n, 0, func(i int) []byte {
		if i%50 >= 30 && i%50 < 38 && i > 100 { // the server conceals 160 ms
			return m.mix(nil)
		}
		return m.mix(clip.Frames[i].Payload)
	})[0]
	t.Log(h)
	assert.InDelta(t, n-gaps*8, h.present, 12, "%v", h)
	assert.LessOrEqual(t, h.present, n-gaps*7, "what was concealed has no mark")
}

func TestMarkIsUnsureWhereTheServerLostSingleFrames(t *testing.T) {
	t.Parallel()
	clip := one(t, clipOne)
	m := newMixer(t, 1, 24_000)
	h := listen(t, []*Code{codeOne()}, 250, 0, func(i int) []byte {
		if i*7%10 >= 8 {
			return m.mix(nil)
		}
		return m.mix(clip.Frames[i].Payload)
	})[0]
	t.Log(h)
	assert.Less(t, h.present, 230, "of 200 that were not lost")
	assert.Greater(t, h.present, 165)
}

func TestMarkOfPacketsThatDidNotCome(t *testing.T) {
	t.Parallel()
	clip := one(t, clipOne)
	h := listen(t, []*Code{codeOne()}, 250, 0, func(i int) []byte {
		if i%10 == 9 {
			return nil
		}
		return clip.Frames[i].Payload
	})[0]
	assert.InDelta(t, 225, h.present+h.unsure, 6, "%v", h)
	assert.LessOrEqual(t, h.present+h.unsure, 225)
}

func TestTransformIsItsOwnInverse(t *testing.T) {
	x := make([]complex128, window)
	x[3], x[1000] = 1, 2i
	fourier.Transform(x)
	for i := range x {
		x[i] = complex(real(x[i]), -imag(x[i]))
	}
	fourier.Transform(x)
	assert.InDelta(t, window, real(x[3]), 1e-6)
	assert.InDelta(t, -2*window, imag(x[1000]), 1e-6)
	assert.InDelta(t, 0, real(x[4]), 1e-6)
}

func TestNothingIsMarkedWithoutSpeech(t *testing.T) {
	_, err := codeOne().Mark(&speech.Clip{}, 0)
	assert.Error(t, err)
}
