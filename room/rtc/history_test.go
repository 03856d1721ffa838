package rtc

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/srtp"
	"github.com/earshot-audio/earshot/room/fanout"
	"github.com/earshot-audio/earshot/room/mediaport"
)

// studio is a router of one slot whose ears send to a tape, packet by packet.
type studio struct {
	t      *testing.T
	router *fanout.Router
	tape   *tape
	mic    *fanout.Publisher
	next   uint16 // the mic's
	said   int
}

func newStudio(t *testing.T, sink mediaport.Writer) *studio {
	t.Helper()
	c := &clock{now: time.Unix(1_000_000, 0)}
	router := newRouter(t, fanout.Config{Slots: 1, Queue: 1 << 20, Now: c.Now}, fanout.ShardsConfig{Count: 1, Now: c.Now,
		NewSendBatch: func(int) fanout.SendBatch { return batchAt(sink, c.Now) }})
	s := &studio{t: t, router: router}
	s.tape, _ = sink.(*tape)
	s.enter(1)
	return s
}

// enter makes a talker the one who speaks from now on.
func (s *studio) enter(talker uint32) {
	s.t.Helper()
	if s.mic != nil {
		s.mic.Close()
	}
	var err error
	s.mic, err = s.router.Publish(talker)
	require.NoError(s.t, err)
}

// say lets the talker say so many frames, of which no two are alike.
func (s *studio) say(frames int) {
	s.t.Helper()
	for range max(frames, 0) {
		s.mic.Push(fanout.Frame{Seq: s.next, Timestamp: uint32(s.next) * 960, Level: 30, Payload: fmt.Append(nil, "frame ", s.said)})
		s.next++
		s.said++
	}
	s.flush()
}

// flush waits until the shard has nothing left to do.
func (s *studio) flush() {
	s.t.Helper()
	flushShards(s.t, s.router, 1)
}

// media are the RTP packets on the tape.
func (s *studio) media() (list [][]byte) {
	for _, b := range s.tape.packets {
		if b[1] != rtcpSenderReport {
			list = append(list, b)
		}
	}
	return list
}

// asking makes a link's client one that may ask for packets again.
func asking(l *leanEndpoint) {
	for i := range l.streams {
		l.streams[i].nack = true
	}
	l.ear = &Ear{session: &session{room: &MediaRoom{engine: &Engine{}}}}
}

func sequence(b []byte) uint16 { return uint16(b[2])<<8 | uint16(b[3]) }

// A listener who joins late and loses ten packets asks for them, gets the very
// datagrams again, and hears everything.
func TestRetransmissionRepairsTenLostPackets(t *testing.T) {
	const lost, after = 10, 12
	for _, row := range []struct {
		name   string
		before int                          // frames that were said before it joined
		lead   func(first int) int          // how many it hears before it loses some, by the first number
		amid   func(s *studio)              // what happens after half of those lost
		change func(*leanEndpoint, *studio) // what happens before it asks
		again  int                          // how many it gets again
	}{
		{name: "from the slot's packet 65,530 on", before: 65_530, lead: func(int) int { return 1 }, again: lost},
		{name: "the first of all", before: 3, lead: func(int) int { return 0 }, again: lost},
		{name: "through a rollover of its own", lead: func(first int) int { return 65_531 - first }, again: lost},
		{name: "with another talker in between", before: 40, lead: func(int) int { return 5 }, amid: func(s *studio) { s.enter(2) }, again: lost},
		{name: "longer ago than is remembered", before: 40, lead: func(int) int { return 5 },
			change: func(_ *leanEndpoint, s *studio) { s.say(32) }, again: 0},
		{name: "partly longer ago", before: 40, lead: func(int) int { return 5 },
			change: func(_ *leanEndpoint, s *studio) { s.say(32 - after - 4) }, again: 4 - 1},
	} {
		for _, p := range srtp.DefaultProfiles() {
			t.Run(fmt.Sprint(row.name, ", ", p), func(t *testing.T) {
				s := newStudio(t, &tape{})
				s.say(row.before)
				l, opener := keyed(t, p)
				asking(l)
				_, err := s.router.Subscribe(l, fanout.SubscribeOptions{Sections: 1, Since: time.Unix(2_000_000, 0)})
				require.NoError(t, err)
				s.say(1)
				s.say(row.lead(int(sequence(s.media()[0]))))
				lead := len(s.media())
				s.say(lost / 2)
				if row.amid != nil {
					row.amid(s)
				}
				s.say(lost - lost/2 + after)
				if row.change != nil {
					row.change(l, s)
				}

				sent := slices.Clone(s.media())
				missing := map[uint16][]byte{}
				var ask []uint16
				for _, b := range sent[lead : lead+lost] {
					missing[sequence(b)] = b
					ask = append(ask, sequence(b))
				}
				if row.name == "through a rollover of its own" {
					require.Contains(t, ask, uint16(0))
				}
				l.requestRetransmissions(nackFor(t, l.streams[0].ssrc, append(ask, ask[0]-40)...))
				s.say(1)
				got := s.media()[len(sent):]
				require.Len(t, got, row.again+1)
				for _, b := range got[:row.again] {
					require.Equal(t, missing[sequence(b)], b, "the same datagram")
					delete(missing, sequence(b))
				}
				require.Len(t, missing, lost-row.again)
				heard := 0
				for _, b := range slices.Concat(sent[:lead], sent[lead+lost:], got) {
					_, _, err := opener.OpenRTP(slices.Clone(b))
					require.NoError(t, err)
					heard++
				}
				assert.Equal(t, s.said-row.before-lost+row.again, heard)
			})
		}
	}
}

// forger is an ear that answers what it is asked for with a stream that is not
// what it was.
type forger struct {
	*leanEndpoint
	forge func(v *outboundStream)
}

func (f *forger) Send(out fanout.SendBatch, packets []fanout.Packet) int {
	if f.forge != nil {
		v := &f.streams[packets[0].Section]
		payload, level, seq, ts := v.payload, v.level, v.sequence, v.timestamp
		f.forge(v)
		f.applyUpdates(out.(*sendBatch), &packets[0])
		v.payload, v.level, v.sequence, v.timestamp = payload, level, seq, ts
	}
	return f.leanEndpoint.Send(out, packets)
}

func TestRetransmissionIsNeverAnotherPacket(t *testing.T) {
	for _, row := range []struct {
		name  string
		forge func(v *outboundStream)
		again int
	}{
		{"nothing is changed", func(*outboundStream) {}, 1},
		{"the timestamp", func(v *outboundStream) { v.timestamp++ }, 0},
		{"the payload type", func(v *outboundStream) { v.payload++ }, 0},
		{"the extension's id", func(v *outboundStream) { v.level++ }, 0},
		{"the extension is left out", func(v *outboundStream) { v.level = 0 }, 0},
	} {
		for _, p := range srtp.DefaultProfiles() {
			t.Run(fmt.Sprint(row.name, ", ", p), func(t *testing.T) {
				s := newStudio(t, &tape{})
				l, _ := keyed(t, p)
				asking(l)
				f := &forger{leanEndpoint: l}
				_, err := s.router.Subscribe(f, fanout.SubscribeOptions{Sections: 1})
				require.NoError(t, err)
				s.say(3)
				l.requestRetransmissions(nackFor(t, l.streams[0].ssrc, sequence(s.media()[1])))
				f.forge = row.forge
				s.say(1)
				assert.Len(t, s.media(), 4+row.again)
			})
		}
	}
}

// What a room remembers it remembers once: an ear whose client may ask costs no
// more than one whose client may not.
func TestHistoryDoesNotGrowWithEars(t *testing.T) {
	const ears = 1000
	cost := func(asks bool) float64 {
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		s := newStudio(t, &discard{})
		before := heap()
		list := make([]*leanEndpoint, ears)
		for i := range list {
			list[i], _ = keyed(t, srtp.GCM128)
			list[i].streams[0].nack = asks
			_, err := s.router.Subscribe(list[i], fanout.SubscribeOptions{Sections: 1})
			require.NoError(t, err)
		}
		s.say(100)
		after := heap()
		runtime.KeepAlive(list)
		return float64(int64(after)-int64(before)) / ears
	}
	assert.Less(t, cost(true)-cost(false), 100.0, "bytes an ear: 32 packets would be 1,024")
}

// TestResendsCostNoMoreThanTheEar has a client that asks for the same packets all the
// time: it gets no more than twice what it would get anyway, and what is kept once.
func TestResendsCostNoMoreThanTheEar(t *testing.T) {
	s := newStudio(t, &tape{})
	l, _ := keyed(t, srtp.GCM128)
	asking(l)
	_, err := s.router.Subscribe(l, fanout.SubscribeOptions{Sections: 1})
	require.NoError(t, err)
	const frames = 400
	for range frames {
		s.say(1)
		last := sequence(s.media()[len(s.media())-1])
		var ask []uint16
		for i := range uint16(17) {
			ask = append(ask, last-i)
		}
		for range 5 {
			l.requestRetransmissions(nackFor(t, l.streams[0].ssrc, ask...))
		}
	}
	again := len(s.media()) - frames
	assert.LessOrEqual(t, again, frames)
	assert.Greater(t, again, frames/2, "it is not refused what is its due")
}
