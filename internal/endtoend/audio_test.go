package endtoend_test

import (
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/speech"
)

// requireHeard requires that the packets are the frames, byte for byte, in
// order, on one unbroken sequence.
func requireHeard(t *testing.T, sent []speech.Frame, heard []*rtp.Packet) {
	t.Helper()
	require.Len(t, heard, len(sent))
	for i, p := range heard {
		require.Equal(t, sent[i].Payload, p.Payload, "frame %d", i)
		require.Equal(t, heard[0].SSRC, p.SSRC)
		require.Len(t, p.CSRC, 1, "the talker is named")
		require.Equal(t, heard[0].CSRC, p.CSRC)
		if i > 0 {
			require.Equal(t, heard[i-1].SequenceNumber+1, p.SequenceNumber)
			require.Equal(t, heard[i-1].Timestamp+960, p.Timestamp)
		}
	}
}

func TestWHEPListenerHearsWHIPPublisherByteForByte(t *testing.T) {
	t.Parallel()
	url := serve(t)
	ear := listen(t, 1, byHTTP(t, url+"/rooms/hall/whep"))
	mic := publish(t, byHTTP(t, url+"/rooms/hall/whip"))
	sent := frames(t, "speech.ogg", 150)
	mic.say(sent, 30)
	requireHeard(t, sent, ear.wait(t, len(sent)))
}

func TestWebSocketListenerHearsWebSocketSpeakerByteForByte(t *testing.T) {
	t.Parallel()
	url := serve(t)
	listener := enter(t, url, "hall", "listener")
	ear := listen(t, 3, listener.exchange("ear"))
	speaker := enter(t, url, "hall", "speaker")
	mic := publish(t, speaker.exchange("mic"))
	sent := frames(t, "speech.ogg", 150)
	mic.say(sent, 30)
	requireHeard(t, sent, ear.wait(t, len(sent)))
}

func TestSpeakerChangeKeepsSequenceUnbroken(t *testing.T) {
	t.Parallel()
	url := serve(t)
	ear := listen(t, 1, byHTTP(t, url+"/rooms/hall/whep"))
	first := publish(t, byHTTP(t, url+"/rooms/hall/whip"))
	second := publish(t, byHTTP(t, url+"/rooms/hall/whip"))
	one, other := frames(t, "speech.ogg", 60), frames(t, "reader.ogg", 60)
	first.say(one, 30)
	ear.wait(t, 60)
	time.Sleep(100 * time.Millisecond) // the first has fallen silent
	second.say(other, 30)
	ear.wait(t, 120)
	time.Sleep(100 * time.Millisecond)
	first.say(one, 30)
	heard := ear.wait(t, 180)

	talkers := map[uint32]int{}
	for i, p := range heard {
		talkers[p.CSRC[0]]++
		require.Equal(t, heard[0].SSRC, p.SSRC)
		if i > 0 {
			require.Equal(t, heard[i-1].SequenceNumber+1, p.SequenceNumber, "packet %d", i)
			step := int32(p.Timestamp - heard[i-1].Timestamp)
			require.Positive(t, step, "time runs on")
			require.Less(t, step, int32(20*48_000), "and does not leap")
		}
	}
	assert.Len(t, talkers, 2, "each talker has a name of their own")
	for i := range 60 {
		require.Equal(t, one[i].Payload, heard[i].Payload)
		require.Equal(t, other[i].Payload, heard[60+i].Payload)
		require.Equal(t, one[i].Payload, heard[120+i].Payload)
	}
}

func TestSpeakersEarOmitsOwnFrames(t *testing.T) {
	t.Parallel()
	url := serve(t)
	speaker := enter(t, url, "hall", "speaker")
	ear := listen(t, 3, speaker.exchange("ear"))
	own := publish(t, speaker.exchange("mic"))
	other := publish(t, byHTTP(t, url+"/rooms/hall/whip"))
	mine, theirs := frames(t, "speech.ogg", 100), frames(t, "reader.ogg", 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		other.say(theirs, 40)
	}()
	own.say(mine, 20) // and the louder
	<-done
	requireHeard(t, theirs, ear.wait(t, 100))
}

func TestMuteIsEnforcedByServer(t *testing.T) {
	t.Parallel()
	url := serve(t)
	host := enter(t, url, "hall", "host")
	speaker := enter(t, url, "hall", "speaker")
	mic := publish(t, speaker.exchange("mic"))
	ear := listen(t, 1, byHTTP(t, url+"/rooms/hall/whep"))
	all := frames(t, "speech.ogg", 150)
	mic.say(all[:50], 30)
	ear.wait(t, 50)
	host.ask(map[string]any{"type": "mute", "member": speaker.id, "muted": true})
	mic.say(all[50:100], 30) // a client that ignores it
	host.ask(map[string]any{"type": "mute", "member": speaker.id, "muted": false})
	mic.say(all[100:], 30)
	heard := ear.wait(t, 100)
	time.Sleep(100 * time.Millisecond)
	require.Len(t, ear.all(), 100)
	for i, p := range heard {
		frame := i
		if i >= 50 {
			frame += 50
		}
		require.Equal(t, all[frame].Payload, p.Payload)
		if i > 0 {
			require.Equal(t, heard[i-1].SequenceNumber+1, p.SequenceNumber, "what the server left out is no loss")
		}
	}
}
