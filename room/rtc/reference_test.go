package rtc

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/room/fanout"
)

// pionEar is an ear with a full PeerConnection: what a lean one is held against.
type pionEar struct {
	*connection
	ear    *Ear
	voices []*pionVoice
}

// earsOf says which ears a test is about.
type earsOf string

const (
	leanEars earsOf = "lean"
	pionEars earsOf = "pion"
	// portableEars are lean, on a port as other systems have it.
	portableEars earsOf = "portable"
)

// overBoth holds that a test can't tell a lean ear from a full one, whatever the
// system.
func overBoth(t *testing.T, test func(t *testing.T, ears earsOf)) {
	t.Helper()
	for _, ears := range []earsOf{leanEars, pionEars, portableEars} {
		t.Run(string(ears), func(t *testing.T) { test(t, ears) })
	}
}

// use lets an engine have ears of this kind from now on.
func (ears earsOf) use(t testing.TB, e *Engine) {
	t.Helper()
	if ears == pionEars {
		usePion(t, e)
	}
}

// usePion lets the ears of an engine be Pion's from now on.
func usePion(t testing.TB, e *Engine) {
	t.Helper()
	logs := pionLogs{log: e.log}
	sender, err := report.NewSenderInterceptor(
		report.SenderInterval(reportEvery), report.WithSenderLoggerFactory(logs))
	require.NoError(t, err)
	api, err := newAPI(e, logs, sender)
	require.NoError(t, err)
	e.newEar = func(ctx context.Context, r *MediaRoom, owner uint32, o *sdp.Offer) (*Ear, error) {
		return newPionEar(ctx, api, r, owner, o)
	}
}

func newPionEar(ctx context.Context, api *webrtc.API, r *MediaRoom, owner uint32, o *sdp.Offer) (*Ear, error) {
	c, err := connect(r, o, api)
	if err != nil {
		return nil, err
	}
	p := &pionEar{connection: c}
	p.ear = &Ear{session: c.session, sections: len(o.Active()), mouth: p, owner: owner}
	c.detach = p.ear.unsubscribe
	if err := p.start(ctx); err != nil {
		c.end(err)
		<-c.finished
		return nil, err
	}
	return p.ear, nil
}

func (p *pionEar) start(ctx context.Context) error {
	var senders []*webrtc.RTPSender
	for i, s := range p.offer.Active() {
		v := newPionVoice(i, &s)
		t, err := p.pc.AddTransceiverFromTrack(v, webrtc.RTPTransceiverInit{
			Direction: webrtc.RTPTransceiverDirectionSendonly,
		})
		if err != nil {
			return fmt.Errorf("section %d: %w", i, err)
		}
		p.voices = append(p.voices, v)
		senders = append(senders, t.Sender())
	}
	// Pion starts SRTP under the lock under which it told of DTLS, so that
	// whatever is sent from here on goes out.
	p.onUp = func(up time.Time) { p.ear.subscribe(up) }
	if err := p.negotiate(ctx, p.sources); err != nil {
		return err
	}
	if err := p.admit(); err != nil {
		return err
	}
	for _, sender := range senders {
		p.read(func() {
			p.drain(func(b []byte) error {
				_, _, err := sender.Read(b)
				return err
			})
		})
	}
	return nil
}

func (p *pionEar) sources() []sdp.Source {
	cname := rand.Text()
	sources := make([]sdp.Source, len(p.voices))
	for i, v := range p.voices {
		sources[i] = sdp.Source{SSRC: v.header.SSRC, CNAME: cname, Stream: v.StreamID(), Track: v.ID()}
	}
	return sources
}

// Send implements fanout.Ear.
func (p *pionEar) Send(_ fanout.Outbox, section int, packet fanout.Packet) error {
	if err := p.voices[section].send(packet); err != nil {
		return err
	}
	p.packets.Add(1)
	p.bytes.Add(uint64(len(packet.Payload)))
	return nil
}
