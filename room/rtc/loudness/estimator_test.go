package loudness

import (
	"testing"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
)

// A mic that claims to be louder than it is would be among those that are heard, and
// keep others from it: it is found out, and measured from then on.
func TestLoudnessThatIsClaimedFalselyIsMeasured(t *testing.T) {
	loud, quiet := opusFile(t, "speech-loud.ogg"), opusFile(t, "speech-quiet.ogg")
	garbage := [][]byte{{0xfc, 0xff, 0xfe}, {0x03}, {0xff}}
	honest := func(packets [][]byte) func(i int) uint8 {
		meter := NewMeter()
		levels := make([]uint8, len(packets))
		for i, p := range packets {
			levels[i] = meter.Measure(p)
		}
		return func(i int) uint8 { return levels[i%len(levels)] }
	}
	always := func(level uint8) func(int) uint8 { return func(int) uint8 { return level } }
	than := func(by int, of func(int) uint8) func(int) uint8 {
		return func(i int) uint8 { return uint8(min(max(int(of(i))+by, 0), 127)) }
	}
	for name, row := range map[string]struct {
		packets [][]byte
		claims  func(i int) uint8
		found   bool
	}{
		"speech and its level":                        {loud, honest(loud), false},
		"quiet speech and its level":                  {quiet, honest(quiet), false},
		"a client that measures 6 dB louder":          {loud, than(-6, honest(loud)), false},
		"a client that says it is quieter than it is": {loud, than(20, honest(loud)), false},
		"a client that says it is silent":             {loud, always(127), false},
		"quiet speech as loud as can be":              {quiet, always(0), true},
		"quiet speech, 30 dB louder than it is":       {quiet, than(-30, honest(quiet)), true},
		"what is no audio, as loud as can be":         {garbage, always(0), true},
		"what is no audio, as loud as speech":         {garbage, always(25), true},
	} {
		t.Run(name, func(t *testing.T) {
			l := New()
			for i := range 4 * (maxTrusted + settleFrames + auditFrames) {
				l.Of(row.packets[i%len(row.packets)], &rtp.AudioLevelExtension{Level: row.claims(i), Voice: true})
			}
			assert.Equal(t, row.found, l.distrusted)
			level, voice := l.Of(garbage[0], &rtp.AudioLevelExtension{Level: 0, Voice: true})
			assert.Equal(t, !row.found, voice, "what it claims counts")
			assert.Equal(t, !row.found, level == 0)
		})
	}
}
