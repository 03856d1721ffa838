package rtc

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/loadgen/speech"
	"github.com/earshot-audio/earshot/room/rtc/loudness"
)

// part is what someone says in each frame: how loud.
type part struct {
	who   *speaker
	level uint8
}

// talk lets speakers say frames of 20 ms, one after the other in each.
func (s *show) talk(frames int, parts ...part) {
	s.t.Helper()
	for i := range frames {
		for _, p := range parts {
			s.say(p.who, fmt.Appendf(nil, "%d/%d", p.who.mic.talker, i), p.level)
		}
		s.clock.advance(20 * time.Millisecond)
	}
	s.release()
}

// waitHeard waits until a listener has that many packets.
func (l *listener) waitHeard(n int) {
	l.t.Helper()
	eventually(l.t, func() bool { return len(l.payloads()) >= n }, fmt.Sprint("the listener hears ", n, " packets"))
	require.Len(l.t, l.payloads(), n)
}

func talkers(packets []rtp.Packet) map[uint32]int {
	count := map[uint32]int{}
	for _, p := range packets {
		count[p.CSRC[0]]++
	}
	return count
}

// checkUnbroken holds that a section's packets are one run of one source.
func checkUnbroken(t *testing.T, packets []rtp.Packet) {
	t.Helper()
	for i := 1; i < len(packets); i++ {
		before, p := packets[i-1], packets[i]
		require.Equal(t, before.SSRC, p.SSRC)
		require.Equal(t, before.SequenceNumber+1, p.SequenceNumber, "packet %d", i)
		step := p.Timestamp - before.Timestamp
		require.NotZero(t, step, "packet %d", i)
		require.Zero(t, step%960, "packet %d", i)
		require.Less(t, step, uint32(patience.Seconds()*48000), "packet %d", i)
		require.Len(t, p.CSRC, 1)
	}
}

func TestSectionStaysUnbrokenWhenTheTalkerChanges(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newShow(t, ears, 1)
		l := openEar(t, r.testRoom, 1, 0, withLevel)
		a, b := newSpeaker(t, r.testRoom, 11, withLevel), newSpeaker(t, r.testRoom, 22, withLevel)
		r.waitEars(1)
		for range 3 {
			r.talk(20, part{a, 30})
			r.clock.advance(80 * time.Millisecond)
			r.talk(20, part{b, 30})
			r.clock.advance(80 * time.Millisecond)
		}
		l.waitHeard(120)
		packets := l.first()
		checkUnbroken(t, packets)
		assert.Equal(t, uint32(960*(119+5*4)), packets[119].Timestamp-packets[0].Timestamp, "media time is real time")
		for i, p := range packets {
			assert.Equal(t, []uint32{11, 22}[i/20%2], p.CSRC[0])
			assert.Equal(t, fmt.Sprintf("%d/%d", p.CSRC[0], i%20), string(p.Payload))
		}
	})
}

func TestNobodyHearsTheirOwnMic(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newShow(t, ears, 2)
		own, other := openEar(t, r.testRoom, 2, 1, withLevel), openEar(t, r.testRoom, 2, 0, withLevel)
		a, b := newSpeaker(t, r.testRoom, 1, withLevel), newSpeaker(t, r.testRoom, 2, withLevel)
		r.waitEars(2)
		r.talk(50, part{a, 20}, part{b, 50})
		own.waitHeard(50)
		for _, text := range own.payloads() {
			assert.True(t, strings.HasPrefix(text, "2/"), text)
		}
		other.waitHeard(100)
	})
}

func TestSetOwnerChangesWhatAnEarHearsAndNothingElse(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newShow(t, ears, 1)
		l := openEar(t, r.testRoom, 1, 0, withLevel)
		a, b := newSpeaker(t, r.testRoom, 1, withLevel), newSpeaker(t, r.testRoom, 2, withLevel)
		r.waitEars(1)
		for _, owner := range []uint32{0, 1, 0} {
			l.ear.SetOwner(owner)
			r.talk(30, part{a, 20}, part{b, 50})
		}
		l.waitHeard(90)
		packets := l.first()
		checkUnbroken(t, packets)
		for i, p := range packets {
			assert.Equal(t, []uint32{1, 2, 1}[i/30], p.CSRC[0], "packet %d", i)
		}
	})
}

func TestEarOfOneSectionHearsTheLoudest(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newShow(t, ears, 3)
		one, two := openEar(t, r.testRoom, 1, 0, withLevel), openEar(t, r.testRoom, 2, 0, withLevel)
		a, b := newSpeaker(t, r.testRoom, 1, withLevel), newSpeaker(t, r.testRoom, 2, withLevel)
		r.waitEars(2)
		r.talk(50, part{a, 50}, part{b, 20})
		eventually(t, func() bool { return len(two.payloads()) == 100 }, "two sections hear both")
		heard := talkers(one.first())
		assert.GreaterOrEqual(t, heard[1], 15, "who was first has it for 300 ms: %v", heard)
		assert.GreaterOrEqual(t, heard[2], 30, "then the loudest: %v", heard)
		checkUnbroken(t, one.first())
	})
}

func TestMuteSilencesAMicAtTheServer(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		l := openEar(t, r, 3, 0)
		a, b := newSpeaker(t, r, 1), newSpeaker(t, r, 2)
		eventually(t, func() bool { return r.Stats().Ears == 1 }, "the ear hears")
		a.say([]byte("one"), 30)
		eventually(t, func() bool { return len(l.payloads()) == 1 }, "it is heard")

		r.Mute(1, true)
		for range 10 {
			a.say([]byte("secret"), 30)
		}
		eventually(t, func() bool { return r.Stats().Muted == 10 }, "dropped by the server")
		again := newSpeaker(t, r, 1) // publishes anew, as after a reconnect
		for range 10 {
			again.say([]byte("secret"), 30)
		}
		eventually(t, func() bool { return r.Stats().Muted == 20 }, "muted still")
		r.Mute(1, false)
		again.say([]byte("two"), 30)
		b.say([]byte("three"), 30)
		eventually(t, func() bool { return len(l.payloads()) == 3 }, "heard again")
		assert.ElementsMatch(t, []string{"one", "two", "three"}, l.payloads())
	})
}

// opusFile returns the packets of an Ogg Opus file of loudness/testdata.
func opusFile(t *testing.T, name string) (packets [][]byte) {
	t.Helper()
	clip, err := speech.Load(filepath.Join("loudness", "testdata", name))
	require.NoError(t, err)
	for _, f := range clip.Frames {
		packets = append(packets, f.Payload)
	}
	return packets
}

func TestMicWithoutAudioLevelDoesNotDisplaceALouderOne(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		loud, quiet := opusFile(t, "speech-loud.ogg"), opusFile(t, "speech-quiet.ogg")
		for _, row := range []struct {
			name    string
			options []clientOption
		}{
			{"neither sends a level", nil},
			{"the louder one sends its level", []clientOption{withLevel}},
		} {
			t.Run(row.name, func(t *testing.T) {
				r := newShow(t, ears, 1)
				l := openEar(t, r.testRoom, 1, 0)
				holder, challenger := newSpeaker(t, r.testRoom, 1, row.options...), newSpeaker(t, r.testRoom, 2)
				r.waitEars(1)
				meter := loudness.NewMeter()
				// The quiet one talks where the loud one pauses between words.
				for i := range loud {
					r.say(holder, loud[i], meter.Measure(loud[i]))
					r.say(challenger, quiet[(i+7)%len(quiet)], 0)
					r.clock.advance(20 * time.Millisecond)
				}
				r.release()
				l.waitHeard(len(loud))
				assert.Equal(t, map[uint32]int{1: len(loud)}, talkers(l.first()))
			})
		}
	})
}

func TestMicWithoutAudioLevelDisplacesAQuieterOne(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		loud, quiet := opusFile(t, "speech-loud.ogg"), opusFile(t, "speech-quiet.ogg")
		r := newShow(t, ears, 1)
		l := openEar(t, r.testRoom, 1, 0)
		holder, challenger := newSpeaker(t, r.testRoom, 1), newSpeaker(t, r.testRoom, 2)
		r.waitEars(1)
		for i := range loud {
			r.say(holder, quiet[i], 0)
			r.say(challenger, loud[i], 0)
			r.clock.advance(20 * time.Millisecond)
		}
		r.release()
		// In the frame of the change both are heard.
		l.waitHeard(len(loud) + 1)
		packets := l.first()
		checkUnbroken(t, packets)
		changes := 0
		for i := 1; i < len(packets); i++ {
			if packets[i].CSRC[0] != packets[i-1].CSRC[0] {
				changes++
			}
		}
		assert.Equal(t, 1, changes)
		assert.Greater(t, talkers(packets)[2], len(loud)*2/3)
	})
}

// sections adds transceivers and a data channel in the given order: a, v, d.
func sections(t *testing.T, c *client, order string, direction webrtc.RTPTransceiverDirection) {
	t.Helper()
	for _, what := range order {
		var err error
		switch what {
		case 'a':
			_, err = c.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: direction})
		case 'v':
			_, err = c.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: direction})
		case 'd':
			_, err = c.pc.CreateDataChannel("chat", nil)
		}
		require.NoError(t, err)
	}
}

// moveDataFirst puts the data section at the head of an offer (Pion always
// writes it last), and gives the sections new names in the new order.
func moveDataFirst(offer string) string {
	parts := strings.Split(offer, "\r\nm=")
	last := len(parts) - 1
	parts[last] = strings.TrimSuffix(parts[last], "\r\n")
	moved := append([]string{parts[0], parts[last]}, parts[1:last]...)
	return strings.Join(moved, "\r\nm=") + "\r\n"
}

func TestEarConnectsDespiteVideoAndDataSections(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 2)
		s := newSpeaker(t, r, 1, withLevel)
		for _, order := range []string{"a", "avd", "vad", "vda", "dva", "avavd", "vvaad", "aaa"} {
			t.Run(order, func(t *testing.T) {
				l := newListener(t, withLevel)
				sections(t, l.client, order, webrtc.RTPTransceiverDirectionRecvonly)
				l.open(r, 0)
				l.waitConnected()
				eventually(t, func() bool { return r.Stats().Ears == 1 }, "it is subscribed")
				var said []string
				for i := range 10 {
					said = append(said, fmt.Sprint(order, i))
					s.say([]byte(said[i]), 30)
					time.Sleep(time.Millisecond)
				}
				eventually(t, func() bool { return l.heard(said) }, "it hears")
				require.NoError(t, l.ear.Close())
			})
		}
	})
}

func TestAnswerRejectsADataSectionAtTheHead(t *testing.T) {
	c := newClient(t)
	sections(t, c, "avd", webrtc.RTPTransceiverDirectionRecvonly)
	o, err := sdp.ReadOffer(moveDataFirst(c.offer()), sdp.ClientReceives, 3)
	require.NoError(t, err)
	answer, err := sdp.Parse(o.Answer(1, sdp.Transport{}, make([]sdp.Source, 1)))
	require.NoError(t, err)
	var got []string
	for _, s := range answer.Sections {
		got = append(got, fmt.Sprintln(s.Media, s.Port, s.MID, s.Sends, s.Receives))
	}
	assert.Equal(t, []string{"application 0 2 false false\n", "audio 9 0 true false\n", "video 0 1 false false\n"}, got)
}

func TestMicConnectsDespiteVideoBeforeTheAudio(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 2)
		l := openEar(t, r, 1, 0)
		eventually(t, func() bool { return r.Stats().Ears == 1 }, "the ear hears")
		for _, order := range []string{"v", "vd", "d"} {
			t.Run(order, func(t *testing.T) {
				s := newSpeakerAfter(t, r, 1, order)
				for i := range 10 {
					s.say(fmt.Append(nil, order, i), 30)
					time.Sleep(time.Millisecond)
				}
				eventually(t, func() bool { return strings.Count(strings.Join(l.payloads(), " "), order+"9") > 0 }, "it is heard")
			})
		}
	})
}

// newSpeakerAfter is a speaker whose audio section comes after others.
func newSpeakerAfter(t *testing.T, r *testRoom, talker uint32, order string) *speaker {
	t.Helper()
	s := &speaker{client: newClient(t)}
	sections(t, s.client, order, webrtc.RTPTransceiverDirectionSendonly)
	track, err := webrtc.NewTrackLocalStaticRTP(opusCodec().RTPCodecCapability, "audio", "mic")
	require.NoError(t, err)
	s.track = track
	_, err = s.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	require.NoError(t, err)
	mic, err := r.OpenMic(t.Context(), talker, s.offer())
	require.NoError(t, err)
	s.mic = mic
	s.accept(mic.Answer())
	s.waitConnected()
	return s
}

// rawTrack lets a test choose the SSRC and payload type of what it sends.
type rawTrack struct {
	*webrtc.TrackLocalStaticRTP
	mu     sync.Mutex
	writer webrtc.TrackLocalWriter
	ssrc   uint32
}

func (r *rawTrack) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	r.mu.Lock()
	r.writer, r.ssrc = ctx.WriteStream(), uint32(ctx.SSRC())
	r.mu.Unlock()
	return r.TrackLocalStaticRTP.Bind(ctx)
}

func TestMicThatChangesItsSSRCStaysUnbroken(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 1)
		l := openEar(t, r, 1, 0)
		eventually(t, func() bool { return r.Stats().Ears == 1 }, "the ear hears")
		c := newClient(t)
		inner, err := webrtc.NewTrackLocalStaticRTP(opusCodec().RTPCodecCapability, "audio", "mic")
		require.NoError(t, err)
		track := &rawTrack{TrackLocalStaticRTP: inner}
		_, err = c.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		require.NoError(t, err)
		// Without a=ssrc, as many WHIP clients offer.
		var lines []string
		for line := range strings.SplitSeq(c.offer(), "\r\n") {
			if !strings.HasPrefix(line, "a=ssrc") {
				lines = append(lines, line)
			}
		}
		mic, err := r.OpenMic(t.Context(), 5, strings.Join(lines, "\r\n"))
		require.NoError(t, err)
		c.accept(mic.Answer())
		c.waitConnected()
		send := func(ssrc uint32, pt uint8, seq uint16, text string) {
			_, err := track.writer.WriteRTP(&rtp.Header{
				Version: 2, PayloadType: pt, SSRC: ssrc, SequenceNumber: seq, Timestamp: uint32(seq) * 960,
			}, []byte(text))
			require.NoError(t, err)
			time.Sleep(time.Millisecond)
		}
		send(track.ssrc, 13, 99, "comfort noise comes first")
		for i := range 20 {
			send(track.ssrc, 111, uint16(100+i), fmt.Sprint("first ", i))
		}
		eventually(t, func() bool { return len(l.payloads()) == 20 }, "the first source is heard")
		for i := range 20 {
			send(track.ssrc+1, 111, uint16(90+i), fmt.Sprint("second ", i))
		}
		eventually(t, func() bool { return len(l.payloads()) == 40 }, "the second source is heard")
		send(track.ssrc+1, 0, 110, "not Opus")
		send(track.ssrc+1, 111, 111, "last")
		eventually(t, func() bool { return len(l.payloads()) == 41 }, "Opus again")
		packets := l.first()
		checkUnbroken(t, packets[:40])
		assert.Equal(t, "last", string(packets[40].Payload))
		assert.Equal(t, map[uint32]int{5: 41}, talkers(packets))
	})
}
