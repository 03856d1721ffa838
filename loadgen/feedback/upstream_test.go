package feedback

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUpstreamIsWhatTheServerReportsOfTheMic(t *testing.T) {
	const mic = 7
	block := func(ssrc, last, lost uint32) []rtcp.ReceptionReport {
		return []rtcp.ReceptionReport{{SSRC: ssrc, LastSequenceNumber: last, TotalLost: lost}}
	}
	for _, c := range []struct {
		sentence string
		first    uint16
		sent     int
		reports  []rtcp.Packet
		want     Upstream
	}{
		{"no report", 100, 50, nil, Upstream{Sent: 50}},
		{"all came", 100, 50, []rtcp.Packet{&rtcp.ReceiverReport{Reports: block(mic, 149, 0)}}, Upstream{Sent: 50, Covered: 50, Reports: 1}},
		{"some were lost, and the last are on their way", 100, 50, []rtcp.Packet{&rtcp.ReceiverReport{Reports: block(mic, 139, 4)}}, Upstream{Sent: 50, Covered: 40, Lost: 4, Reports: 1}},
		{"the latest report counts", 100, 50, []rtcp.Packet{&rtcp.ReceiverReport{Reports: block(mic, 119, 1)}, &rtcp.ReceiverReport{Reports: block(mic, 149, 2)}}, Upstream{Sent: 50, Covered: 50, Lost: 2, Reports: 2}},
		{"a server that sends, too, reports with what it sends", 100, 50, []rtcp.Packet{&rtcp.SenderReport{Reports: block(mic, 149, 3)}}, Upstream{Sent: 50, Covered: 50, Lost: 3, Reports: 1}},
		{"the numbers begin anew", 65_500, 100, []rtcp.Packet{&rtcp.ReceiverReport{Reports: block(mic, 1<<16|63, 3)}}, Upstream{Sent: 100, Covered: 100, Lost: 3, Reports: 1}},
		{"they did so twice", 100, 140_000, []rtcp.Packet{&rtcp.ReceiverReport{Reports: block(mic, 2<<16|(140_099-2<<16), 3)}}, Upstream{Sent: 140_000, Covered: 140_000, Lost: 3, Reports: 1}},
		{"copies came, so that fewer than none were lost", 100, 50, []rtcp.Packet{&rtcp.ReceiverReport{Reports: block(mic, 149, 1<<24-2)}}, Upstream{Sent: 50, Covered: 50, Reports: 1}},
		{"another source", 100, 50, []rtcp.Packet{&rtcp.ReceiverReport{Reports: block(mic+1, 149, 3)}}, Upstream{Sent: 50}},
		{"more lost than sent", 100, 50, []rtcp.Packet{&rtcp.ReceiverReport{Reports: block(mic, 149, 51)}}, Upstream{Sent: 50}},
		{"packets that were not sent yet", 100, 50, []rtcp.Packet{&rtcp.ReceiverReport{Reports: block(mic, 151, 0)}}, Upstream{Sent: 50}},
		{"the packet that is expected next, as LiveKit reports", 100, 50, []rtcp.Packet{&rtcp.ReceiverReport{Reports: block(mic, 150, 2)}}, Upstream{Sent: 50, Covered: 50, Lost: 2, Reports: 1}},
		{"the jitter is the average of the reports'", 100, 50, []rtcp.Packet{
			&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: mic, LastSequenceNumber: 119, Jitter: 48}}},
			&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: mic, LastSequenceNumber: 149, Jitter: 144}}},
		}, Upstream{Sent: 50, Covered: 50, Jitter: 2 * time.Millisecond, Reports: 2}},
		{"packets are asked for again", 100, 50, []rtcp.Packet{
			&rtcp.TransportLayerNack{MediaSSRC: mic, Nacks: []rtcp.NackPair{{PacketID: 110, LostPackets: 0b101}}},
			&rtcp.TransportLayerNack{MediaSSRC: mic + 1, Nacks: []rtcp.NackPair{{PacketID: 110}}},
		}, Upstream{Sent: 50, NACKs: 3}},
		{"nothing was sent", 0, 0, []rtcp.Packet{&rtcp.ReceiverReport{Reports: block(mic, 149, 0)}}, Upstream{}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			u := &UpstreamReports{doubt: func(_, _ time.Duration) uint64 { return 0 }}
			for i := range c.sent {
				u.Sent(c.first + uint16(i))
			}
			for _, r := range c.reports {
				compound, err := r.Marshal()
				require.NoError(t, err)
				u.Take(compound, mic, 0)
			}
			u.Take([]byte("no RTCP"), mic, 0)
			assert.Equal(t, c.want, u.Upstream())
		})
	}
}

func TestUpstreamLossesMayBeTheGenerators(t *testing.T) {
	const mic = 7
	for _, c := range []struct {
		sentence string
		lateAt   time.Duration // of the generator
		doubtful [2]time.Duration
		most     uint64 // that may be lost by it
		excused  uint64
	}{
		{"nothing is in doubt", 0, [2]time.Duration{}, 100, 0},
		{"the time of the second report is", 0, [2]time.Duration{6 * time.Second, 7 * time.Second}, 100, 5},
		{"the time of the last, too", 0, [2]time.Duration{6 * time.Second, 12 * time.Second}, 100, 7},
		{"so that a few packets may be lost, and not all that the server lost", 0, [2]time.Duration{6 * time.Second, 12 * time.Second}, 1, 2},
		{"a frame was late before the last report", 12 * time.Second, [2]time.Duration{}, 100, 2},
		{"one was late before the second report, which misses more", 7 * time.Second, [2]time.Duration{}, 100, 2},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			u := &UpstreamReports{doubt: func(from, until time.Duration) uint64 {
				if from < c.doubtful[1] && until > c.doubtful[0] {
					return c.most
				}
				return 0
			}}
			for i := range 750 {
				u.Sent(uint16(i))
			}
			for i, lost := range []uint32{3, 8, 10} {
				if c.lateAt > 0 && i == int(c.lateAt/(5*time.Second)) {
					u.excuse(time.Duration(i) * 5 * time.Second) // what is known by then
					u.Late(c.lateAt)
				}
				compound, err := (&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: mic, LastSequenceNumber: uint32(i*250 + 249), TotalLost: lost}}}).Marshal()
				require.NoError(t, err)
				u.Take(compound, mic, time.Duration(i+1)*5*time.Second)
			}
			assert.Equal(t, Upstream{Sent: 750, Covered: 750, Lost: 10, Reports: 3, Excused: c.excused}, u.Upstream())
		})
	}
}

func TestDownstreamIsWhatTheServerReportsToHaveSent(t *testing.T) {
	report := func(r *ReceiverReports, ssrc, sent uint32) {
		compound, err := (&rtcp.SenderReport{SSRC: ssrc, PacketCount: sent}).Marshal()
		require.NoError(t, err)
		r.HandleRTCP(compound, 0)
	}
	receive := func(r *ReceiverReports, section int, ssrc uint32, from, n uint64) {
		for i := range n {
			r.Receive(section, ssrc, from+i, uint32(i)*960, time.Duration(i)*20*time.Millisecond)
		}
	}
	for _, c := range []struct {
		sentence string
		play     func(r *ReceiverReports)
		want     Downstream
		ok       bool
	}{
		{"nothing came", func(*ReceiverReports) {}, Downstream{}, false},
		{"no report", func(r *ReceiverReports) { receive(r, 0, 7, 0, 40) }, Downstream{}, false},
		{"all came", func(r *ReceiverReports) { receive(r, 0, 7, 0, 40); report(r, 7, 40) }, Downstream{40, 40}, true},
		{"a fifth did not", func(r *ReceiverReports) { receive(r, 0, 7, 0, 40); report(r, 7, 50) }, Downstream{50, 40}, true},
		{"what came after the report is not in it", func(r *ReceiverReports) {
			receive(r, 0, 7, 0, 40)
			report(r, 7, 50)
			receive(r, 0, 7, 50, 30)
		}, Downstream{50, 40}, true},
		{"two sections", func(r *ReceiverReports) {
			receive(r, 0, 7, 0, 40)
			receive(r, 1, 8, 0, 10)
			report(r, 7, 40)
			report(r, 8, 12)
		}, Downstream{52, 50}, true},
		{"one of two has no report", func(r *ReceiverReports) {
			receive(r, 0, 7, 0, 40)
			receive(r, 1, 8, 0, 10)
			report(r, 7, 40)
		}, Downstream{40, 40}, false},
		{"another source took the section over", func(r *ReceiverReports) {
			receive(r, 0, 7, 0, 40)
			report(r, 7, 50)
			receive(r, 0, 9, 0, 20)
			report(r, 9, 21)
		}, Downstream{71, 60}, true},
		{"fewer sent than came", func(r *ReceiverReports) { receive(r, 0, 7, 0, 40); report(r, 7, 30) }, Downstream{30, 40}, false},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			r := &ReceiverReports{}
			c.play(r)
			got, ok := r.Downstream()
			assert.Equal(t, c.ok, ok)
			assert.Equal(t, c.want, got)
		})
	}
}

// TestUpstreamAfterTheEnd: a mic goes on to send, and the server to report, when the measuring has ended. What was in
// doubt before is known later.
func TestUpstreamAfterTheEnd(t *testing.T) {
	const mic = 7
	var doubtful uint64
	u := NewUpstreamReports(func(_, _ time.Duration) uint64 { return doubtful }, 0)
	send := func(n int, lost uint32, at time.Duration) {
		for range n {
			u.Sent(uint16(u.count.Load()))
		}
		compound, err := (&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{
			{SSRC: mic, LastSequenceNumber: uint32(u.count.Load() - 1), TotalLost: lost},
		}}).Marshal()
		require.NoError(t, err)
		u.Take(compound, mic, at)
	}
	send(50, 3, time.Second)
	u.End()
	send(2*StaleAfter, 500, 20*time.Second)
	u.End()
	doubtful = 2
	is := u.Upstream()
	assert.True(t, is.Reported())
	assert.Equal(t, Upstream{Sent: 50, Covered: 50, Lost: 3, Reports: 1, Excused: 2}, is)
}
