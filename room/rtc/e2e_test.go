package rtc

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEarHearsExactlyTheBytesSentInOrder(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		s := newSpeaker(t, r, 7, withLevel)
		l := openEar(t, r, 1, 0, withLevel)
		l.waitConnected()
		eventually(t, func() bool { return r.Stats().Ears == 1 }, "the ear is subscribed")

		const frames = 200
		var want []string
		for i := range frames {
			frame := fmt.Sprintf("\xfcframe %d", i)
			want = append(want, frame)
			s.say([]byte(frame), 30)
			time.Sleep(time.Millisecond)
		}
		eventually(t, func() bool { return len(l.first()) == frames }, "every frame arrives")
		got := l.first()
		for i, p := range got {
			require.Equal(t, want[i], string(p.Payload))
			assert.Equal(t, []uint32{7}, p.CSRC)
			assert.Equal(t, got[0].SSRC, p.SSRC)
			assert.Equal(t, got[0].SequenceNumber+uint16(i), p.SequenceNumber)
			assert.Equal(t, got[0].Timestamp+uint32(960*i), p.Timestamp)
			assert.Equal(t, []byte{0x80 | 30}, p.GetExtension(p.GetExtensionIDs()[0]))
			assert.Equal(t, i == 0, p.Marker)
		}
		assert.Less(t, got[0].SequenceNumber, uint16(1<<15))
		assert.Equal(t, uint64(frames), s.mic.Stats().Packets)
		assert.Equal(t, uint64(frames), l.ear.Stats().Packets)
		assert.True(t, l.ear.Stats().Connected)
	})
}
