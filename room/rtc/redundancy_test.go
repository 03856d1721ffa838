package rtc

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/red"
	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/room/fanout"
)

// Two ears take redundant audio and one does not. A payload is made once for both.
func TestREDIsSentToThoseWhoTakeIt(t *testing.T) {
	sink := &tape{}
	s := newStudio(t, sink)
	var openers []*srtp.Opener
	for i := range 3 {
		l := keyedFor(t, srtp.GCM128, address(i), 1)
		if i < 2 {
			l.streams[0].red = 63
		}
		sub, err := s.router.Subscribe(l.leanEndpoint, fanout.SubscribeOptions{Sections: 1, Since: time.Unix(2_000_000, 0)})
		require.NoError(t, err)
		defer sub.Close()
		openers = append(openers, l.opener)
	}
	s.say(2)
	s.next++ // lost on its way to the server
	s.say(2)
	var got [3][]string
	for i, b := range sink.packets {
		who := slices.Index([]netip.AddrPort{address(0), address(1), address(2)}, sink.to[i])
		plain, _, err := openers[who].OpenRTP(b)
		require.NoError(t, err)
		var p rtp.Packet
		require.NoError(t, p.Unmarshal(plain))
		if p.PayloadType == 111 {
			got[who] = append(got[who], string(p.Payload))
			continue
		}
		assert.EqualValues(t, 63, p.PayloadType)
		frame, copies, err := red.Parse(p.Payload, 111, nil)
		require.NoError(t, err)
		require.Len(t, copies, 1)
		got[who] = append(got[who], fmt.Sprintf("%s, and %s of %d ticks before", frame, copies[0].Payload, copies[0].Offset))
	}
	redundant := []string{"frame 0", "frame 1, and frame 0 of 960 ticks before", "frame 2", "frame 3, and frame 2 of 960 ticks before"}
	assert.Equal(t, [3][]string{redundant, redundant, {"frame 0", "frame 1", "frame 2", "frame 3"}}, got)
}

func TestRedundantPayloadsAreMadeOncePerSlot(t *testing.T) {
	frames := []*fanout.Frame{{Payload: []byte("a")}, {Payload: []byte("b")}}
	p := &fanout.Packet{Earlier: frames[0], EarlierBy: 960, Frame: frames[1]}
	s := &outboundStream{payload: 111, red: 63}
	var made redundantPayloads
	first := &made.payload(s, p)[0]
	assert.Zero(t, testing.AllocsPerRun(10, func() { made.payload(s, p) }))
	assert.Same(t, first, &made.payload(s, p)[0])
	assert.Equal(t, byte(96), made.payload(&outboundStream{payload: 96, red: 63}, p)[4], "an ear with another number for Opus")
}

func TestReceivedFrames(t *testing.T) {
	var r receivedFrames
	assert.False(t, r.miss(9), "what came before the first packet is not missed")
	for _, step := range []struct {
		seq uint16
		is  bool
		why string
	}{
		{65_534, true, "the first"}, {1, true, "after a gap of two"}, {1, false, "twice"},
		{65_535, true, "late"}, {65_535, false, "late and twice"}, {65_534, false, "the first again"},
		{100, true, "far ahead"}, {101, true, "the next"}, {30, true, "too old to tell"},
	} {
		assert.Equal(t, step.is, r.add(step.seq), step.why)
	}
	assert.True(t, r.miss(99))
	assert.True(t, r.miss(102))
	assert.False(t, r.miss(100))
	assert.False(t, r.miss(30), "nobody plays it any more")
}
