package rtc

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lite"
	"github.com/earshot-audio/earshot/internal/sdp"
)

// crowd is many lean clients with a socket each.
type crowd struct {
	t     *testing.T
	crowd *lite.ClientGroup
	cert  *lite.Certificate
	stop  chan struct{}
	works sync.WaitGroup
	ahead atomic.Int64 // how far its clock is ahead
}

// newCrowd is a crowd that goes by the time of day.
func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := newStillCrowd(t)
	c.works.Go(func() {
		for {
			select {
			case <-c.stop:
				return
			case <-time.After(5 * time.Millisecond):
				c.crowd.Tick(c.now())
			}
		}
	})
	return c
}

// newStillCrowd is a crowd whose timers never run out.
func newStillCrowd(t *testing.T) *crowd {
	t.Helper()
	cert, err := lite.NewCertificate(time.Now())
	require.NoError(t, err)
	cr, err := lite.NewClientGroup(lite.ClientGroupConfig{Certificate: cert})
	require.NoError(t, err)
	c := &crowd{t: t, crowd: cr, cert: cert, stop: make(chan struct{})}
	t.Cleanup(func() {
		cr.Close()
		close(c.stop)
		c.works.Wait()
	})
	return c
}

func (c *crowd) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// one is a client of a crowd.
type one struct {
	crowd  *crowd
	client *lite.Client
	ear    *testEar
	ready  chan struct{}
	closed chan error

	deaf    atomic.Bool // media is lost on its way here
	skipped atomic.Int64

	mu      sync.Mutex
	socket  *net.UDPConn
	local   map[string]int // packets by the socket's address
	heard   []rtp.Packet
	indices map[uint64]bool
	reports []rtcp.Packet
	refused int
}

// open opens a socket at an address that the client has not had, from which it
// sends from now on.
func (o *one) open() *net.UDPConn {
	t := o.crowd.t
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		require.NoError(t, err)
		t.Cleanup(func() { _ = socket.Close() })
		if o.local[socket.LocalAddr().String()] == 0 {
			o.socket = socket
			return socket
		} // the system has given the port of a closed one
	}
}

// read gives the client what comes in at a socket.
func (o *one) read(socket *net.UDPConn) {
	name := socket.LocalAddr().String()
	o.crowd.works.Go(func() {
		b := make([]byte, receiveMTU)
		for {
			n, from, err := socket.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			o.mu.Lock()
			o.local[name]++
			o.mu.Unlock()
			if o.deaf.Load() && b[0] >= 128 {
				o.skipped.Add(1)
				continue
			}
			o.client.Handle(b[:n], from, o.crowd.now())
		}
	})
}

func (o *one) send(b []byte, to netip.AddrPort) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.socket.WriteToUDPAddrPort(b, to)
}

func (o *one) Ready(*lite.Client) { close(o.ready) }

func (o *one) RTP(_ *lite.Client, packet []byte, index uint64, _ time.Time) {
	var p rtp.Packet
	if p.Unmarshal(append([]byte(nil), packet...)) != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heard = append(o.heard, p)
	o.indices[index] = true
}

func (o *one) RTCP(_ *lite.Client, packet []byte, _ time.Time) {
	list, err := rtcp.Unmarshal(append([]byte(nil), packet...))
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.refused++
	}
	o.reports = append(o.reports, list...)
}

func (o *one) Refused(*lite.Client, error, time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused++
}

func (o *one) Closed(_ *lite.Client, reason error) { o.closed <- reason }

// count is how many packets the client has heard.
func (o *one) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.heard)
}

// attribute finds the first attribute of that name in an SDP.
func attribute(t *testing.T, sdp, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(sdp, "a="+name+":")
	require.True(t, ok, name)
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// join opens an ear for a new client and connects it.
func (c *crowd) join(r *testRoom) *one {
	t := c.t
	t.Helper()
	local := sdp.NewCredentials()
	offer := strings.Join([]string{
		"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0",
		"m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=mid:0", "a=recvonly", "a=rtcp-mux",
		"a=ice-ufrag:" + local.Ufrag, "a=ice-pwd:" + local.Pwd,
		"a=fingerprint:" + string(c.cert.Fingerprint()), "a=setup:actpass",
		"a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 nack", "a=extmap:3 " + sdp.AudioLevelURI, "",
	}, "\r\n")
	ear, err := r.OpenEar(context.Background(), 0, offer)
	require.NoError(t, err)
	fingerprint, err := sdp.ParseFingerprint(attribute(t, ear.Answer(), "fingerprint"))
	require.NoError(t, err)
	o := &one{
		crowd: c, ear: ear, ready: make(chan struct{}), closed: make(chan error, 1),
		local: map[string]int{}, indices: map[uint64]bool{},
	}
	socket := o.open()
	o.client, err = c.crowd.Connect(lite.ClientConfig{
		Local:  local,
		Remote: sdp.Credentials{Ufrag: attribute(t, ear.Answer(), "ice-ufrag"), Pwd: attribute(t, ear.Answer(), "ice-pwd")},
		Server: r.engine.Addr(), Fingerprint: fingerprint, Send: lite.SenderFunc(o.send), Events: o,
	}, c.now())
	require.NoError(t, err)
	o.read(socket)
	return o
}

func TestTwoHundredListenersLoseNothing(t *testing.T) {
	for _, ears := range []earKind{leanEars, portableEars, bundledEars} {
		t.Run(string(ears), func(t *testing.T) {
			const listeners, frames = 200, 100
			r := newTestRoom(t, ears, Config{}, 3)
			s := newSpeaker(t, r, 1, withLevel)
			c := newCrowd(t)
			all := make([]*one, listeners)
			for i := range all {
				all[i] = c.join(r)
			}
			eventually(t, func() bool { return r.Stats().Ears == listeners }, "all are subscribed")
			for i := range frames {
				s.say(binary.BigEndian.AppendUint32(nil, uint32(i)), 30)
				time.Sleep(10 * time.Millisecond)
			}
			for _, o := range all {
				eventually(t, func() bool { return o.count() >= frames }, "every frame arrives")
			}
			for _, o := range all {
				o.mu.Lock()
				require.Len(t, o.heard, frames)
				require.Len(t, o.indices, frames)
				for i, p := range o.heard {
					require.Equal(t, uint32(i), binary.BigEndian.Uint32(p.Payload))
					require.Equal(t, o.heard[0].SequenceNumber+uint16(i), p.SequenceNumber)
					require.Equal(t, []byte{0x80 | 30}, p.GetExtension(3))
				}
				require.Zero(t, o.refused)
				o.mu.Unlock()
			}
			stats := r.Stats()
			assert.Equal(t, uint64(listeners*frames), stats.Sent)
			assert.Zero(t, stats.Failed)
			assert.Zero(t, stats.Overflow)
		})
	}
}

func TestEarSendsSenderReports(t *testing.T) {
	r := newShow(t, leanEars, 1)
	s := newSpeaker(t, r.testRoom, 1, withLevel)
	c := newCrowd(t)
	o := c.join(r.testRoom)
	r.waitEars(1)
	const frames = 800 // 16 s
	for range frames {
		r.say(s, []byte("four"), 30)
		r.clock.advance(20 * time.Millisecond)
	}
	eventually(t, func() bool { return o.count() == frames }, "it hears all")
	reports := func() []*rtcp.SenderReport {
		o.mu.Lock()
		defer o.mu.Unlock()
		var list []*rtcp.SenderReport
		for _, p := range o.reports {
			if sr, ok := p.(*rtcp.SenderReport); ok {
				list = append(list, sr)
			}
		}
		return list
	}
	eventually(t, func() bool { return len(reports()) >= 3 }, "one each 5 s")
	list := reports()
	assert.Len(t, list, 3)
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, sr := range list {
		assert.Equal(t, o.heard[0].SSRC, sr.SSRC)
		assert.Equal(t, 4*sr.PacketCount, sr.OctetCount)
		newest := o.heard[sr.PacketCount-1]
		assert.Equal(t, newest.Timestamp, sr.RTPTime, "sent the moment it came")
		elapsed := time.Duration(sr.PacketCount-1) * 20 * time.Millisecond
		assert.Equal(t, uint64(1_000_000+ntpEpoch)+uint64(elapsed/time.Second), sr.NTPTime>>32)
		if i > 0 {
			assert.InDelta(t, 250, sr.PacketCount-list[i-1].PacketCount, 1)
		}
	}
	var named int
	for _, p := range o.reports {
		if d, ok := p.(*rtcp.SourceDescription); ok {
			require.Len(t, d.Chunks, 1)
			assert.Equal(t, o.heard[0].SSRC, d.Chunks[0].Source)
			assert.Equal(t, []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: strings.TrimPrefix(strings.Fields(attribute(t, o.ear.Answer(), "ssrc"))[1], "cname:")}}, d.Chunks[0].Items)
			named++
		}
	}
	assert.Equal(t, len(list), named)
}

func TestEarRetransmitsOnNACK(t *testing.T) {
	r := newTestRoom(t, leanEars, Config{}, 1)
	s := newSpeaker(t, r, 1, withLevel)
	c := newCrowd(t)
	o := c.join(r)
	assert.Contains(t, o.ear.Answer(), "a=rtcp-fb:111 nack\r\n")
	eventually(t, func() bool { return r.Stats().Ears == 1 }, "it is subscribed")
	o.deaf.Store(true)
	for i := range 40 {
		s.say(fmt.Append(nil, i), 30)
	}
	eventually(t, func() bool { return o.ear.Stats().Packets == 40 }, "all are sent")
	eventually(t, func() bool { return o.skipped.Load() == 40 }, "and lost")
	o.deaf.Store(false)
	s.say([]byte("after"), 30)
	eventually(t, func() bool { return o.count() == 1 }, "it hears again")
	o.mu.Lock()
	newest := o.heard[0]
	o.mu.Unlock()

	ask, err := (&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: newest.SSRC, Nacks: []rtcp.NackPair{
		{PacketID: newest.SequenceNumber - 40}, // longer ago than is remembered
		{PacketID: newest.SequenceNumber - 20, LostPackets: 0b101},
		{PacketID: newest.SequenceNumber + 20},
	}}).Marshal()
	require.NoError(t, err)
	require.NoError(t, o.client.SendRTCP(ask))
	eventually(t, func() bool { return o.ear.Stats().Reports == 1 }, "it asks")
	s.say([]byte("later"), 30)
	eventually(t, func() bool { return o.count() == 5 }, "it gets what is remembered")
	var texts []string
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.heard {
		texts = append(texts, string(p.Payload))
	}
	assert.ElementsMatch(t, []string{"after", "later", "20", "21", "23"}, texts)
	assert.Zero(t, o.refused)
	assert.Equal(t, uint64(42), o.ear.Stats().Packets, "what is sent again counts once")
}

func TestEarCountsReceiverReports(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 1)
		c := newCrowd(t)
		o := c.join(r)
		<-o.ready
		eventually(t, func() bool { return r.Stats().Ears == 1 }, "it is subscribed")
		report, err := (&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: o.source()}}}).Marshal()
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, o.client.SendRTCP(report))
		}
		eventually(t, func() bool { return o.ear.Stats().Reports == 3 }, "they are counted")
	})
}

// source is the SSRC that the ear sends from.
func (o *one) source() uint32 {
	n, err := strconv.ParseUint(strings.Fields(attribute(o.crowd.t, o.ear.Answer(), "ssrc"))[0], 10, 32)
	require.NoError(o.crowd.t, err)
	return uint32(n)
}
