package rtc

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// overTCP lets a client have no UDP.
func overTCP(s *webrtc.SettingEngine, _ *webrtc.MediaEngine) {
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
}

const withTCP = "127.0.0.1:0"

// TestMicsAndEarsOverTCP has listeners and speakers without UDP, beside others with it.
func TestMicsAndEarsOverTCP(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{ICETCP: withTCP}, 2)
		listeners := []*listener{openEar(t, r, 2, 0, overTCP), openEar(t, r, 2, 0), openEar(t, r, 2, 0, overTCP)}
		for _, l := range listeners {
			l.waitConnected()
		}
		ada, bo := newSpeaker(t, r, 1, withLevel, overTCP), newSpeaker(t, r, 2, withLevel)
		eventually(t, func() bool { return r.Stats().Ears == len(listeners) }, "the ears hear the room")
		var said []string
		for i := range 50 {
			for _, who := range []*speaker{ada, bo} {
				text := fmt.Sprintf("%d says %d", who.mic.talker, i)
				said = append(said, text)
				who.say([]byte(text), 30)
			}
			time.Sleep(2 * time.Millisecond)
		}
		for i, l := range listeners {
			eventually(t, func() bool { return l.heard(said) }, fmt.Sprintf("listener %d hears all", i))
		}
		s := r.engine.Stats()
		assert.Equal(t, 3, s.TCP.Connections)
		assert.Zero(t, s.TCP.Dropped)
		require.NoError(t, listeners[0].ear.Close())
		select {
		case <-listeners[0].closed: // by close_notify, over TCP
		case <-time.After(patience):
			assert.Fail(t, "the client of an ear that is closed does not learn of it")
		}
	})
}

// TestListenerOverTCPThatStands has a client that reads nothing any more: the others miss
// nothing, and what it is not sent is counted.
func TestListenerOverTCPThatStands(t *testing.T) {
	r := newTestRoom(t, leanEars, Config{ICETCP: withTCP}, 1)
	p := newTCPProxy(t, r.engine.TCPAddr().String())
	stands := newListener(t, overTCP)
	_, err := stands.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(t, err)
	ear, err := r.OpenEar(t.Context(), 0, stands.offer())
	require.NoError(t, err)
	stands.accept(strings.ReplaceAll(ear.Answer(), fmt.Sprint(" ", r.engine.TCPAddr().Port(), " typ host tcptype"), fmt.Sprint(" ", p.port(), " typ host tcptype")))
	stands.waitConnected()
	hears := openEar(t, r, 1, 0)
	hears.waitConnected()
	s := newSpeaker(t, r, 1, withLevel)
	eventually(t, func() bool { return r.Stats().Ears == 2 }, "the ears hear the room")
	p.stand()
	var said []string
	payload := strings.Repeat("x", 1000)
	for i := 0; r.engine.Stats().TCP.Dropped == 0; i++ {
		text := fmt.Sprintf("%d %s", i, payload)
		said = append(said, text)
		s.say([]byte(text), 30)
		time.Sleep(20 * time.Millisecond)
		require.Less(t, i, 5000, "a client that takes nothing is sent no end of packets")
	}
	eventually(t, func() bool { return hears.heard(said) }, "the other listener misses nothing")
}

// tcpProxy passes TCP connections on, until it stands: then it takes nothing more from the
// server.
type tcpProxy struct {
	listener *net.TCPListener
	to       string
	workers  sync.WaitGroup

	mu     sync.Mutex
	server []*net.TCPConn
	conns  []net.Conn
}

func newTCPProxy(t *testing.T, to string) *tcpProxy {
	t.Helper()
	l, err := net.Listen("tcp", withTCP)
	require.NoError(t, err)
	p := &tcpProxy{listener: l.(*net.TCPListener), to: to}
	p.workers.Go(p.serve)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.workers.Wait()
	})
	return p
}

func (p *tcpProxy) port() int { return p.listener.Addr().(*net.TCPAddr).Port }

func (p *tcpProxy) serve() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		_ = far.(*net.TCPConn).SetReadBuffer(4 << 10)
		p.mu.Lock()
		p.conns = append(p.conns, near, far)
		p.server = append(p.server, far.(*net.TCPConn))
		p.mu.Unlock()
		p.workers.Go(func() { _, _ = io.Copy(far, near) })
		p.workers.Go(func() { p.pass(near, far) })
	}
}

// pass passes on what the server sends, a little at a time, until a read times out.
func (p *tcpProxy) pass(near, far net.Conn) {
	b := make([]byte, 1<<10)
	for {
		n, err := far.Read(b)
		if err != nil {
			return
		}
		if _, err := near.Write(b[:n]); err != nil {
			return
		}
	}
}

// stand takes nothing more from the server.
func (p *tcpProxy) stand() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.server {
		_ = c.SetReadDeadline(time.Now())
	}
}

// TestTCPCandidates has what the answer says: TCP is a candidate of every address, and
// comes after all UDP candidates.
func TestTCPCandidates(t *testing.T) {
	r := newTestRoom(t, leanEars, Config{ICETCP: withTCP}, 1)
	l := openEar(t, r, 1, 0)
	var candidates []sdp.Candidate
	for _, line := range sdp.CandidateLines(l.ear.Answer()) {
		c, err := sdp.ParseCandidate(strings.TrimPrefix(line, "candidate:"))
		require.NoError(t, err)
		candidates = append(candidates, c)
	}
	require.Len(t, candidates, 2)
	udp, ok := candidates[0].Address()
	assert.True(t, ok)
	assert.Equal(t, r.engine.Addr(), udp)
	tcp, ok := candidates[1].PassiveTCP()
	assert.True(t, ok)
	assert.Equal(t, r.engine.TCPAddr(), tcp)
	assert.Less(t, candidates[1].Priority, candidates[0].Priority)
	l.waitConnected()
	assert.Zero(t, r.engine.Stats().TCP.Connections, "who has UDP goes by it")
}

func TestICETCPPortThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", withTCP)
	require.NoError(t, err)
	defer l.Close()
	_, err = New(Config{Media: "127.0.0.1:0", ICETCP: l.Addr().String()})
	require.ErrorContains(t, err, "another server has it")
	_, err = New(Config{Media: "127.0.0.1:0", ICETCP: "nowhere"})
	require.ErrorContains(t, err, "nowhere")
}
