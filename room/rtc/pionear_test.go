package rtc

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/room/fanout"
)

// earKind is the kind of ears that a test is about.
type earKind string

const (
	leanEars earKind = "lean"
	// pionEars have a full PeerConnection each: the reference for lean ones.
	pionEars earKind = "pion"
	// portableEars are lean, on a port as other systems have it.
	portableEars earKind = "portable"
	// bundledEars are lean, in rooms that hold the audience's packets: these come in
	// bundles.
	bundledEars earKind = "bundled"
)

// forEachEarKind runs a test that can't tell a lean ear from a full one, whatever
// the system.
func forEachEarKind(t *testing.T, test func(t *testing.T, ears earKind)) {
	t.Helper()
	for _, ears := range []earKind{leanEars, pionEars, portableEars, bundledEars} {
		t.Run(string(ears), func(t *testing.T) { test(t, ears) })
	}
}

// hold is how long rooms of ears of the kind hold packets: two frames or three.
func (k earKind) hold() time.Duration {
	if k == bundledEars {
		return 50 * time.Millisecond
	}
	return 0
}

// testRoom is a room whose ears are of one kind.
type testRoom struct {
	*MediaRoom
	ears earKind
}

// newSibling opens another room of the same engine.
func (r *testRoom) newSibling(cfg MediaRoomConfig) (*testRoom, error) {
	cfg.AudienceHold = r.ears.hold()
	other, err := r.engine.NewRoom(cfg)
	return &testRoom{MediaRoom: other, ears: r.ears}, err
}

// testEar is an ear of any kind.
type testEar struct {
	*session
	subscriber *subscriber
}

// Detach implements Session.
func (e *testEar) Detach() { e.subscriber.detach() }

// SetOwner sets the talker who is left out.
func (e *testEar) SetOwner(talker uint32) { e.subscriber.setOwner(talker) }

// OpenEar opens an ear of the room's kind.
func (r *testRoom) OpenEar(ctx context.Context, owner uint32, offer string) (*testEar, error) {
	if r.ears != pionEars {
		ear, err := r.MediaRoom.OpenEar(ctx, owner, offer)
		if err != nil {
			return nil, err
		}
		return &testEar{session: ear.session, subscriber: &ear.subscriber}, nil
	}
	o, err := sdp.ReadOffer(offer, sdp.ClientReceives, r.router.Slots())
	if err != nil {
		return nil, err
	}
	ear, err := newPionEar(ctx, r.MediaRoom, owner, o)
	if err != nil {
		return nil, err
	}
	return &testEar{session: ear.session, subscriber: &ear.subscriber}, nil
}

// pionEar is an ear with a full PeerConnection: what a lean one is held against.
type pionEar struct {
	*pionEndpoint
	subscriber subscriber
	tracks     []*pionTrack
}

func newPionEar(ctx context.Context, r *MediaRoom, owner uint32, o *sdp.Offer) (*pionEar, error) {
	sender, err := report.NewSenderInterceptor(
		report.SenderInterval(reportInterval), report.WithSenderLoggerFactory(r.engine.pion.logs))
	if err != nil {
		return nil, err
	}
	config := *r.engine.pion
	config.interceptors = &interceptor.Registry{}
	config.interceptors.Add(sender)
	c, err := newPionEndpoint(r, o, &config)
	if err != nil {
		return nil, err
	}
	p := &pionEar{pionEndpoint: c}
	p.subscriber = subscriber{router: r.router, sink: p, sections: len(o.Active()), owner: owner}
	c.stopMedia = p.subscriber.unsubscribe
	if err := p.start(ctx); err != nil {
		c.end(err)
		<-c.finished
		return nil, err
	}
	return p, nil
}

func (p *pionEar) start(ctx context.Context) error {
	var senders []*webrtc.RTPSender
	for i, s := range p.offer.Active() {
		track := newPionTrack(i, &s)
		t, err := p.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{
			Direction: webrtc.RTPTransceiverDirectionSendonly,
		})
		if err != nil {
			return fmt.Errorf("section %d: %w", i, err)
		}
		p.tracks = append(p.tracks, track)
		senders = append(senders, t.Sender())
	}
	local, err := p.negotiate(ctx)
	if err != nil {
		return err
	}
	p.answer = p.offer.Answer(randomUint64(), local, p.sources())
	// No client has the answer yet. Pion starts SRTP under the lock under which it
	// calls this, so that whatever is sent from here on goes out.
	p.pc.SCTP().Transport().OnStateChange(func(state webrtc.DTLSTransportState) {
		up := p.room.engine.now()
		p.transportChanged(state)
		if state == webrtc.DTLSTransportStateConnected {
			p.startReader(func() { p.subscriber.subscribe(up) })
		}
	})
	if err := p.admit(); err != nil {
		return err
	}
	for _, sender := range senders {
		p.startReader(func() {
			p.readRTCP(func(b []byte) error {
				_, _, err := sender.Read(b)
				return err
			})
		})
	}
	return nil
}

func (p *pionEar) sources() []sdp.Source {
	cname := rand.Text()
	sources := make([]sdp.Source, len(p.tracks))
	for i, track := range p.tracks {
		sources[i] = sdp.Source{SSRC: track.header.SSRC, CNAME: cname, Stream: track.StreamID(), Track: track.ID()}
	}
	return sources
}

// Send implements fanout.Sink.
func (p *pionEar) Send(_ fanout.SendBatch, packets []fanout.Packet) (failed int) {
	for _, packet := range packets {
		if err := p.tracks[packet.Section].send(packet); err != nil {
			failed++
			continue
		}
		p.packets.Add(1)
		p.bytes.Add(uint64(len(packet.Payload)))
	}
	return failed
}

// newEngine opens an engine on a free loopback port, unless the configuration
// names another, for speakers who are in a hurry.
func newEngine(t testing.TB, ears earKind, cfg Config) *Engine {
	t.Helper()
	if cfg.Media == "" {
		cfg.Media = "127.0.0.1:0"
	}
	cfg.portable = ears == portableEars
	e, err := New(cfg)
	require.NoError(t, err)
	e.minFrame = 0
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}
