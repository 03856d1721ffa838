package rtc

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/room/fanout"
)

// record is a socket that keeps all that is sent, by whom it is for.
type record struct {
	mu   sync.Mutex
	sent map[netip.AddrPort][][]byte
	// bundled is how many packets came in bundles.
	bundled int
}

func (r *record) WriteBatch(ms []udpbatch.Message) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range ms {
		for _, b := range datagrams(ms[i]) {
			r.sent[ms[i].Addr] = append(r.sent[ms[i].Addr], slices.Clone(b))
			if ms[i].Segment != 0 {
				r.bundled++
			}
		}
		ms[i].N = len(ms[i].Buf)
	}
	return len(ms), nil
}

func (r *record) to(a netip.AddrPort) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent[a])
}

// isReport tells SRTCP from SRTP (RFC 5761, section 4).
func isReport(b []byte) bool { return b[1] >= 192 && b[1] < 224 }

// pad is one mic of the property test, whose frames come as a network may bring
// them.
type pad struct {
	router *fanout.Router
	mic    *fanout.Publisher
	talker uint32
	seq    uint16
	said   int
}

func (p *pad) open(t require.TestingT) {
	var err error
	p.mic, err = p.router.Publish(p.talker)
	require.NoError(t, err)
}

func (p *pad) say(seq uint16, level uint8) {
	p.said++
	p.mic.Push(fanout.Frame{
		Seq: seq, Timestamp: uint32(seq) * 960, Level: level, Voice: level < 60,
		Payload: fmt.Appendf(nil, "%d said %d", p.talker, p.said), // no two alike
	})
}

// subscribed is an ear of the property test.
type subscribed struct {
	*leanEndpoint
	opener *srtp.Opener
	sub    *fanout.Subscription
}

// Whatever the room does, no two packets to a listener are sealed under one key
// and nonce (RFC 3711, section 9.1, RFC 7714, section 8.1): talkers change, are
// muted and publish anew, packets come late or not at all, the listener's own
// mic is left out and let in again, and listeners ask again for what they missed.
// What is sent again is the same packet to the last bit.
func TestEarsUseNoNonceTwice(t *testing.T) {
	var resent, switched, reports, bundled int
	rapid.Check(t, func(t *rapid.T) {
		now := &clock{now: time.Unix(1_000_000, 0)}
		tape := &record{sent: map[netip.AddrPort][][]byte{}}
		shards, err := fanout.NewShards(fanout.ShardsConfig{Count: 2, Now: now.Now,
			NewSendBatch: func(int) fanout.SendBatch { return batchAt(tape, now.Now) }})
		require.NoError(t, err)
		defer shards.Close()
		router, err := fanout.New(fanout.Config{
			Slots: rapid.IntRange(1, 3).Draw(t, "slots"), Shards: shards, Queue: 1 << 20, MaxAge: time.Hour, Now: now.Now,
		})
		require.NoError(t, err)
		defer router.Close()
		var pads [4]*pad
		for i := range pads {
			pads[i] = &pad{router: router, talker: uint32(i + 1), seq: rapid.Uint16().Draw(t, "seq")}
			pads[i].open(t)
		}
		var all []*subscribed
		for i := range 4 {
			profile := srtp.DefaultProfiles()[i%3]
			s := keyedFor(t, profile, address(i), 1+i%2)
			s.sub, err = router.Subscribe(s.leanEndpoint, fanout.SubscribeOptions{Sections: 1 + i%2, Owner: uint32(i)})
			require.NoError(t, err)
			for j := range s.streams {
				s.streams[j].red = uint8(i / 2 * 63) // half of them take redundant audio
			}
			all = append(all, s)
		}
		for range rapid.IntRange(50, 250).Draw(t, "steps") {
			p := rapid.SampledFrom(pads[:]).Draw(t, "mic")
			ear := rapid.SampledFrom(all).Draw(t, "ear")
			switch rapid.IntRange(0, 15).Draw(t, "what") {
			case 0:
				router.Mute(p.talker, rapid.Bool().Draw(t, "muted"))
			case 1:
				p.mic.Close()
				p.open(t)
				p.seq = rapid.Uint16().Draw(t, "seq")
			case 2:
				p.mic.Restart()
				p.seq = rapid.Uint16().Draw(t, "seq")
			case 3:
				p.seq += uint16(rapid.IntRange(1, 4000).Draw(t, "lost"))
			case 4:
				p.say(p.seq-uint16(rapid.IntRange(0, 70).Draw(t, "back")), 30)
			case 5:
				ear.sub.SetOwner(uint32(rapid.IntRange(0, len(pads)).Draw(t, "owner")))
			case 6, 7, 8:
				if rapid.Bool().Draw(t, "flushed") {
					flushShards(t, router, 2)
				}
				ear.requestSome(t, tape.to(ear.leanEndpoint.to))
			default:
				p.say(p.seq, uint8(rapid.IntRange(10, 90).Draw(t, "level")))
				p.seq++
			}
			// Now and then so long that a report is due.
			now.advance(rapid.SampledFrom([]time.Duration{0, 20, 20, 300, 6000}).Draw(t, "ms") * time.Millisecond)
		}
		// However the steps fell, each listener misses the last packet that it got, and
		// is sent it again with the next.
		for i := range uint16(2) {
			for _, p := range pads {
				p.say(p.seq+i, 10)
			}
			flushShards(t, router, 2)
			for _, s := range all {
				s.requestLast(t, tape.to(s.leanEndpoint.to))
			}
		}
		flushShards(t, router, 2)
		bundled += tape.bundled
		for _, s := range all {
			s.sub.Close()
			r, w, n := s.check(t, tape.to(s.leanEndpoint.to))
			resent, switched, reports = resent+r, switched+w, reports+n
		}
	})
	assert.Positive(t, resent, "packets were sent again")
	assert.Positive(t, switched, "talkers changed in the middle of a section")
	assert.Positive(t, reports, "and there were reports")
	assert.Positive(t, bundled, "several packets left together")
}

// flushShards waits until every shard of a router, whose ears are spread evenly,
// has sent what it was given.
func flushShards(t require.TestingT, router *fanout.Router, shards int) {
	// Who comes and goes does so amid what waits, which has been sent when the next
	// is served.
	for range 2 {
		subs := make([]*fanout.Subscription, shards)
		for i := range subs {
			var err error
			subs[i], err = router.Subscribe(nil, fanout.SubscribeOptions{Sections: 1, Owner: 99, Since: time.Unix(2_000_000, 0)})
			require.NoError(t, err)
		}
		for _, sub := range subs {
			sub.Close()
		}
	}
}

func keyedFor(t require.TestingT, p srtp.Profile, to netip.AddrPort, sections int) *subscribed {
	key, salt := make([]byte, p.KeyLen()), make([]byte, p.SaltLen())
	for i := range key {
		key[i] = byte(i)
	}
	sealer, err := srtp.NewSealer(p, key, salt)
	require.NoError(t, err)
	opener, err := srtp.NewOpener(p, key, salt)
	require.NoError(t, err)
	l := &leanEndpoint{
		ear:   &Ear{session: &session{room: &MediaRoom{engine: &Engine{}}}}, // whose readers would be told to hurry
		cname: "x", to: to, sealer: sealer, streams: make([]outboundStream, sections),
	}
	for i := range l.streams {
		v := &l.streams[i]
		*v = outboundStream{ssrc: l.newSSRC(), payload: 111, level: 1}
		require.NoError(t, sealer.Stream(&v.stream, v.ssrc))
		v.stream.Remember()
	}
	asking(l)
	return &subscribed{leanEndpoint: l, opener: opener}
}

// requestSome has the listener miss some of what it was sent, or what it was not.
func (s *subscribed) requestSome(t *rapid.T, sent [][]byte) {
	nack := &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: s.streams[0].ssrc}
	for i := range rapid.IntRange(1, 5).Draw(t, "asked") {
		pair := rtcp.NackPair{PacketID: rapid.Uint16().Draw(t, "number")}
		if at := len(sent) - 1 - rapid.IntRange(0, 40).Draw(t, "ago"); i > 0 && at >= 0 && !isReport(sent[at]) {
			nack.MediaSSRC = binary.BigEndian.Uint32(sent[at][8:])
			pair.PacketID = binary.BigEndian.Uint16(sent[at][2:])
		}
		nack.Nacks = append(nack.Nacks, pair)
	}
	compound, err := nack.Marshal()
	require.NoError(t, err)
	s.requestRetransmissions(compound)
}

// requestLast has the listener ask for the last packet that it was sent.
func (s *subscribed) requestLast(t require.TestingT, sent [][]byte) {
	for _, b := range slices.Backward(sent) {
		if isReport(b) {
			continue
		}
		nack := &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: binary.BigEndian.Uint32(b[8:]),
			Nacks: []rtcp.NackPair{{PacketID: binary.BigEndian.Uint16(b[2:])}}}
		compound, err := nack.Marshal()
		require.NoError(t, err)
		s.requestRetransmissions(compound)
		return
	}
}

// nonce is what tells two packets under one key apart.
type nonce struct {
	ssrc  uint32
	index uint64
	rtcp  bool // which has a key of its own
}

// check holds that of what an ear has sent no two different packets have one
// nonce, and that the listener can open it. It counts packets that were sent
// again, changes of talker, and reports.
func (s *subscribed) check(t *rapid.T, sent [][]byte) (resent, switched, reports int) {
	used := map[nonce][]byte{}
	highest, talker := map[uint32]uint64{}, map[uint32]uint32{}
	for i, b := range sent {
		n := nonce{ssrc: binary.BigEndian.Uint32(b[8:])}
		if n.rtcp = isReport(b); n.rtcp {
			n.ssrc = binary.BigEndian.Uint32(b[4:])
			trailer := b[len(b)-4:]
			if s.sealer.Profile() == srtp.CM128SHA1 { // the tag comes after the index
				trailer = b[len(b)-14:]
			}
			n.index = uint64(binary.BigEndian.Uint32(trailer) &^ (1 << 31))
			reports++
		} else {
			seq := binary.BigEndian.Uint16(b[2:])
			last, begun := highest[n.ssrc]
			n.index = uint64(seq)
			if begun { // RFC 3711 appendix A
				n.index = last + uint64(int64(int16(seq-uint16(last))))
			}
			highest[n.ssrc] = max(last, n.index)
		}
		if before, twice := used[n]; twice {
			require.Equal(t, before, b, "packet %d: one nonce for two packets", i)
			resent++
			continue
		}
		used[n] = b
		if n.rtcp {
			_, err := s.opener.OpenRTCP(slices.Clone(b))
			require.NoError(t, err)
			continue
		}
		plain, index, err := s.opener.OpenRTP(slices.Clone(b))
		require.NoError(t, err, "packet %d", i)
		require.Equal(t, n.index, index)
		if who := binary.BigEndian.Uint32(plain[12:]); talker[n.ssrc] != who {
			if talker[n.ssrc] != 0 {
				switched++
			}
			talker[n.ssrc] = who
		}
	}
	return resent, switched, reports
}
