package faults

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// maxQueue is how many packets may wait for a listener; more are lost.
const maxQueue = 1 << 12

// A track is that of one of a server's listeners: a [webrtc.TrackLocal] that
// sends what the server's fault makes of the packets, when it says so.
type track struct {
	server *Server
	room   string
	number int // in the order of the offers
	random *rand.Rand
	taken  int // packets so far; server.mu guards it

	queue  chan packet
	gone   chan struct{} // closed when the connection has ended
	to     webrtc.TrackLocalWriter
	ssrc   uint32
	format uint8
}

// An outgoing is a payload that is sent so long after it came.
type outgoing struct {
	payload []byte
	after   time.Duration
	// By how much the packet's numbers are others than those with which it came.
	sequence  uint16
	timestamp uint32
	ssrc      uint32
	format    uint8
}

// A packet is to be sent at a moment.
type packet struct {
	header  rtp.Header
	payload []byte
	at      time.Time
	handled int // its number in the server's account
}

func newTrack(s *Server, room string, number int) *track {
	return &track{
		server: s, room: room, number: number, random: rand.New(rand.NewPCG(1, uint64(number))),
		queue: make(chan packet, maxQueue), gone: make(chan struct{}),
	}
}

// take enters a packet of the publisher's. It does not block.
func (l *track) take(p *rtp.Packet, now time.Time) {
	n := l.taken
	l.taken++
	all := []outgoing{{payload: p.Payload}}
	if forward := l.server.fault.forward; forward != nil {
		all = forward(l, n, p.Payload)
	}
	handled := 0
	if l.server.fault.accounts {
		handled = l.server.noteCame(l.number, now, len(all) == 0)
	}
	for _, out := range all {
		select {
		case l.queue <- packet{
			header: rtp.Header{
				Version: 2, Marker: p.Marker, SequenceNumber: p.SequenceNumber + out.sequence, Timestamp: p.Timestamp + out.timestamp,
				SSRC: l.ssrc + out.ssrc, PayloadType: l.format + out.format,
			},
			payload: out.payload, at: now.Add(out.after), handled: handled,
		}:
		default:
		}
	}
}

// send sends what is queued, each packet at its moment, until the connection or the
// server ends.
func (l *track) send() {
	var waiting []packet // by moment
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case p := <-l.queue:
			i, _ := slices.BinarySearchFunc(waiting, p, func(a, b packet) int {
				if a.at.After(b.at) {
					return 1
				}
				return -1 // after those of the same moment
			})
			waiting = slices.Insert(waiting, i, p)
		case <-timer.C:
		case <-l.gone:
			return
		case <-l.server.closed:
			return
		}
		for len(waiting) > 0 && !time.Now().Before(waiting[0].at) {
			spin(l.server.fault.spins)
			if l.server.fault.accounts {
				l.server.noteSent(l.number, waiting[0].handled)
			}
			_, _ = l.to.WriteRTP(&waiting[0].header, waiting[0].payload) // the listener may have gone
			waiting = waiting[1:]
		}
		if len(waiting) > 0 {
			timer.Reset(time.Until(waiting[0].at))
		}
	}
}

// lie says several times a second that a thousand times as many packets were sent as were,
// and that half of what came was lost, until the connection ends.
func (l *track) lie(pc *webrtc.PeerConnection) {
	for {
		select {
		case <-l.gone:
			return
		case <-l.server.closed:
			return
		case <-time.After(300 * time.Millisecond):
		}
		l.server.mu.Lock()
		ssrc, sent := l.ssrc, uint32(l.taken)
		l.server.mu.Unlock()
		_ = pc.WriteRTCP([]rtcp.Packet{ // the listener may have gone
			&rtcp.SenderReport{SSRC: ssrc, PacketCount: 1000 * sent, OctetCount: 100_000 * sent},
			&rtcp.ReceiverReport{SSRC: ssrc, Reports: []rtcp.ReceptionReport{{SSRC: 1, FractionLost: 128, TotalLost: sent / 2}}},
		})
	}
}

// spin computes for a time.
func spin(d time.Duration) {
	if d == 0 {
		return
	}
	for end, now := time.Now().Add(d), time.Now(); now.Before(end); now = time.Now() {
		continue
	}
}

// Bind implements webrtc.TrackLocal. The connection is ready.
func (l *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, codec := range c.CodecParameters() {
		if codec.MimeType != webrtc.MimeTypeOpus {
			continue
		}
		l.to, l.ssrc, l.format = c.WriteStream(), uint32(c.SSRC()), uint8(codec.PayloadType)
		l.server.mu.Lock()
		defer l.server.mu.Unlock()
		l.server.rooms[l.room] = append(l.server.rooms[l.room], l)
		return codec, nil
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind implements webrtc.TrackLocal.
func (l *track) Unbind(webrtc.TrackLocalContext) error {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	l.server.rooms[l.room] = slices.DeleteFunc(l.server.rooms[l.room], func(o *track) bool { return o == l })
	close(l.gone)
	return nil
}

// ID implements webrtc.TrackLocal.
func (l *track) ID() string { return "audio" }

// RID implements webrtc.TrackLocal.
func (l *track) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (l *track) StreamID() string { return "room" }

// Kind implements webrtc.TrackLocal.
func (l *track) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }
