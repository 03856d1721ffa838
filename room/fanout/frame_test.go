package fanout

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Ears of several shards, sections and owners get references to the one frame,
// and to its one payload.
func TestPacketIsPreparedOnceForAllEars(t *testing.T) {
	s := newStage(t, Config{Slots: 3}, ShardsConfig{Count: 3})
	var ears []*fakeEar
	for i := range 12 {
		ears = append(ears, s.ear(SubscribeOptions{Sections: 1 + i%3, Owner: uint32(i%2) * 9}))
	}
	a := s.voice(1)
	a.say("one for all", 20)
	s.flush()
	first := ears[0].all()
	require.Len(t, first, 1)
	for _, e := range ears {
		heard := e.all()
		require.Len(t, heard, 1)
		assert.Same(t, first[0].Frame, heard[0].Frame)
		assert.Same(t, &first[0].Payload[0], &heard[0].Payload[0])
	}
}
