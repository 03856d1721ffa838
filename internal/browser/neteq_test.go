package browser_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/neteq"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/speech"
)

// An impairedStream is speech whose packets arrive as a network has them, at Chromium and at
// the model of its jitter buffer.
type impairedStream struct {
	name    string
	arrives func(n int, sent time.Duration) (at time.Duration, lost bool)

	track   *webrtc.TrackLocalStaticRTP
	model   neteq.Buffer
	transit time.Duration // summed over the packets that arrived
	arrived int
}

// listenScript has a page receive streams that a server offers, and play them.
const listenScript = `(() => {
  window.streams = [];
  window.hearStream = async (offer) => {
    const pc = new RTCPeerConnection();
    streams.push(pc);
    pc.ontrack = ({track}) => {
      const audio = new Audio();
      audio.srcObject = new MediaStream([track]);
      audio.play();
    };
    await pc.setRemoteDescription({type: 'offer', sdp: offer});
    await pc.setLocalDescription();
    if (pc.iceGatheringState !== 'complete') {
      await new Promise((resolve) => pc.addEventListener('icegatheringstatechange', () => pc.iceGatheringState === 'complete' && resolve()));
    }
    return pc.localDescription.sdp;
  };
  window.heardStreams = () => Promise.all(streams.map(async (pc) => {
    const s = [...(await pc.getStats()).values()].find((s) => s.type === 'inbound-rtp') ?? {};
    return {concealed: s.concealedSamples ?? 0, inserted: s.insertedSamplesForDeceleration ?? 0, removed: s.removedSamplesForAcceleration ?? 0,
      delay: s.jitterBufferDelay ?? 0, emitted: s.jitterBufferEmittedCount ?? 0};
  }));
  window.forgetStreams = () => { streams.forEach((pc) => pc.close()); streams.length = 0; return true; };
  return true;
})()`

// heardStream is what Chromium's NetEQ says of a stream, in samples; delay is summed over
// those emitted, in seconds.
type heardStream struct {
	Concealed, Inserted, Removed, Emitted int
	Delay                                 float64
}

// deviations are what is summed up over the streams of one network, by NetEQ and by the model.
type deviations struct {
	streams float64
	sums    map[string][2]float64 // in ms
}

// floors are what is added to a fifth of what NetEQ has, per stream: what a single decision
// more or less makes, or a page that is asked a little later.
var floors = map[string]float64{"concealed": 60, "inserted": 40, "removed": 40, "delay": 10}

// apart says where the model is more than a fifth apart from NetEQ.
func (d deviations) apart(name string) (all []string) {
	for what, sum := range d.sums {
		if math.Abs(sum[0]-sum[1]) > sum[0]/5+d.streams*floors[what] {
			all = append(all, fmt.Sprintf("%s: %s %.0f ms by NetEQ, %.0f by the model", name, what, sum[0], sum[1]))
		}
	}
	return all
}

func (d deviations) enter(h heardStream, s *impairedStream) {
	m := s.model.Stats()
	const perMS = rate / 1000
	for what, is := range map[string][2]float64{
		"concealed": {float64(h.Concealed) / perMS, float64(m.Concealed.Milliseconds())},
		"inserted":  {float64(h.Inserted) / perMS, float64(m.Inserted.Milliseconds())},
		"removed":   {float64(h.Removed) / perMS, float64(m.Removed.Milliseconds())},
		"delay":     {1000 * h.Delay / float64(max(1, h.Emitted)), s.delay(m)},
	} {
		sum := d.sums[what]
		d.sums[what] = [2]float64{sum[0] + is[0], sum[1] + is[1]}
	}
}

// The model of the jitter buffer conceals, stretches and waits as Chromium's NetEQ does
// with the same packets at the same times. A page that did not get to play in time, since
// the machine was busy, conceals more: so there is another try, and only make repeat plays it.
func TestNetEQModelAgainstChromium(t *testing.T) {
	if os.Getenv("EARSHOT_SOAK") == "" {
		t.Skip("it needs a machine that does nothing else: set EARSHOT_SOAK=1")
	}
	const length = 12 * time.Second
	s := serve(t, "--open")
	p := sharedChromium(t).person("a listener")
	p.goTo(s.url)
	p.sees("Open a room")
	p.do(chromedp.MouseClickXY(5, 5)) // a page that nobody has touched may not play
	p.await("navigator.userActivation.hasBeenActive")
	eval[bool](p, listenScript)
	voice, api := clip(t, "speech.ogg"), streamAPI(t)
	var apart []string
	for range 3 {
		if apart = compareStreams(t, p, api, voice, length); len(apart) == 0 {
			return
		}
		t.Log(apart)
		eval[bool](p, "forgetStreams()")
	}
	assert.Fail(t, "the model is not NetEQ", "%s", strings.Join(apart, "\n"))
}

// compareStreams plays impaired streams once, and says where the model is not as NetEQ is.
func compareStreams(t *testing.T, p *person, api *webrtc.API, voice *speech.Clip, length time.Duration) (apart []string) {
	streams := impairedStreams(int(length / neteq.FrameLength / 3))
	for _, s := range streams {
		pc := s.connect(t, api, p)
		defer func() { assert.NoError(t, pc.GracefulClose()) }()
	}
	began := time.Now()
	sendStreams(streams, voice, began, length)
	before := time.Since(began)
	heard := eval[[]heardStream](p, "heardStreams()")
	at := (before + time.Since(began)) / 2
	require.Len(t, heard, len(streams))
	networks := map[string]deviations{}
	for i, s := range streams {
		s.model.Advance(at)
		d := networks[s.name]
		if d.sums == nil {
			d.sums = map[string][2]float64{}
		}
		d.streams++
		d.enter(heard[i], s)
		networks[s.name] = d
	}
	for name, d := range networks {
		t.Logf("%s, by NetEQ and by the model, in ms: %v", name, d.sums)
		apart = append(apart, d.apart(name)...)
	}
	return apart
}

// impairedStreams are some streams of each network, and one whose delay rises by 200 ms
// with frame number step.
func impairedStreams(step int) (streams []*impairedStream) {
	for _, name := range network.Presets() {
		profile, _ := network.Preset(name)
		for seed := range uint64(3) {
			path := network.NewPath(profile.Down, seed, 7)
			streams = append(streams, &impairedStream{name: name, arrives: func(_ int, sent time.Duration) (time.Duration, bool) {
				at, fate := path.Pass(sent, 130)
				return at, fate != network.Delivered
			}})
		}
	}
	return append(streams, &impairedStream{name: "a step of 200 ms", arrives: func(n int, sent time.Duration) (time.Duration, bool) {
		if n > step {
			sent += 200 * time.Millisecond
		}
		return sent + 20*time.Millisecond, false
	}})
}

// streamAPI makes peer connections that a browser on this machine reaches.
func streamAPI(t *testing.T) *webrtc.API {
	media := &webrtc.MediaEngine{}
	require.NoError(t, media.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"},
		PayloadType:        111,
	}, webrtc.RTPCodecTypeAudio))
	settings := webrtc.SettingEngine{}
	settings.SetLite(true)
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(settings), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
}

// connect has the browser listen to the stream.
func (s *impairedStream) connect(t *testing.T, api *webrtc.API, p *person) *webrtc.PeerConnection {
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	s.track, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "stream")
	require.NoError(t, err)
	_, err = pc.AddTransceiverFromTrack(s.track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	require.NoError(t, err)
	connected, once := make(chan struct{}), sync.Once{}
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	offer, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	gathered := webrtc.GatheringCompletePromise(pc)
	require.NoError(t, pc.SetLocalDescription(offer))
	<-gathered
	answer := eval[string](p, "hearStream(%q)", pc.LocalDescription().SDP)
	require.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
	select {
	case <-connected:
	case <-time.After(patience):
		require.FailNow(t, "the browser did not connect")
	}
	return pc
}

// An arrival is when a frame of a stream arrives.
type arrival struct {
	stream *impairedStream
	frame  int
	at     time.Duration
}

// sendStreams has each packet arrive when its network says, and enters into the model when
// it did.
func sendStreams(streams []*impairedStream, voice *speech.Clip, began time.Time, length time.Duration) {
	var all []arrival
	for _, s := range streams {
		for n := range int(length / neteq.FrameLength) {
			if at, lost := s.arrives(n, time.Duration(n)*neteq.FrameLength); !lost && at < length {
				all = append(all, arrival{s, n, at})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return int(a.at - b.at) })
	for _, a := range all {
		time.Sleep(time.Until(began.Add(a.at)))
		_ = a.stream.track.WriteRTP(&rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: uint16(a.frame), Timestamp: uint32(a.frame) * frame},
			Payload: voice.Frames[a.frame%len(voice.Frames)].Payload,
		})
		now := time.Since(began)
		a.stream.transit += now - time.Duration(a.frame)*neteq.FrameLength
		a.stream.arrived++
		a.stream.model.Arrive(int64(a.frame), now)
	}
}

// delay is how long packets waited in the model, in ms.
func (s *impairedStream) delay(m neteq.Stats) float64 {
	waited := m.Delay/time.Duration(max(1, m.Played)) - s.transit/time.Duration(max(1, s.arrived))
	return waited.Seconds() * 1000
}
