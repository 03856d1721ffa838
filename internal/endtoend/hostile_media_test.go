package endtoend_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// strangerName and strangerPrint are the ICE name and the fingerprint, of
	// no certificate, in bare offers.
	strangerName  = "stranger"
	strangerPrint = "sha-256 " + "AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB"
)

// bareOffer is an offer as short as can be.
func bareOffer(direction string) string {
	return strings.Join([]string{"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0",
		"m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=" + direction, "a=rtpmap:111 opus/48000/2", "a=rtcp-mux",
		"a=ice-ufrag:" + strangerName, "a=ice-pwd:" + strings.Repeat(strangerName, 3), "a=setup:actpass",
		"a=fingerprint:" + strangerPrint, ""}, "\r\n")
}

// An intruder is a UDP socket that sends whatever it likes to a server's media
// port. One that was let in has the ICE name and password of a session.
type intruder struct {
	t         *testing.T
	conn      *net.UDPConn
	name, pwd string // the server's
	session   string // the session's URL
}

// intruder makes one that was not let in.
func (f *isolatedServer) intruder(t *testing.T) *intruder {
	t.Helper()
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(f.media))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &intruder{t: t, conn: conn}
}

// intruderIn makes one that was let in: "whip" or "whep".
func (f *isolatedServer) intruderIn(t *testing.T, room, way string) *intruder {
	t.Helper()
	i := f.intruder(t)
	direction := map[string]string{"whip": "sendonly", "whep": "recvonly"}[way]
	resp, answer := request(t, http.MethodPost, f.url+"/rooms/"+room+"/"+way, "application/sdp", bareOffer(direction))
	require.Equal(t, http.StatusCreated, resp.StatusCode, answer)
	i.name, i.pwd = iceOf(t, answer)
	i.session = f.url + resp.Header.Get("Location")
	return i
}

// iceOf reads the ICE name and password of an SDP.
func iceOf(t *testing.T, text string) (name, pwd string) {
	t.Helper()
	var desc sdp.SessionDescription
	require.NoError(t, desc.UnmarshalString(text))
	name, _ = desc.MediaDescriptions[0].Attribute("ice-ufrag")
	pwd, _ = desc.MediaDescriptions[0].Attribute("ice-pwd")
	return name, pwd
}

// leaves ends the session.
func (i *intruder) leaves() {
	i.t.Helper()
	resp, body := request(i.t, http.MethodDelete, i.session, "", "")
	require.Equal(i.t, http.StatusOK, resp.StatusCode, body)
}

// check is an ICE check for a session of the server.
func check(t *testing.T, name, pwd string) []byte {
	t.Helper()
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(name+":"+strangerName),
		ice.AttrControlling(1), ice.UseCandidate(), ice.PriorityAttr(1), stun.NewShortTermIntegrity(pwd), stun.Fingerprint)
	require.NoError(t, err)
	return m.Raw
}

// sends sends a datagram. The system may refuse it, as it may lose it.
func (i *intruder) sends(b []byte) { _, _ = i.conn.Write(b) }

// checks sends authentic checks until one is answered. By then the server has
// read all that was sent before, and its answers to that have come.
func (i *intruder) checks() {
	i.t.Helper()
	deadline := time.Now().Add(patience)
	b := make([]byte, 2048)
	for time.Now().Before(deadline) {
		mine := check(i.t, i.name, i.pwd)
		i.sends(mine)
		require.NoError(i.t, i.conn.SetReadDeadline(time.Now().Add(500*time.Millisecond)))
		for {
			n, err := i.conn.Read(b)
			if err != nil {
				break // lost: try again
			}
			if n >= 20 && b[0] == 1 && bytes.Equal(b[8:20], mine[8:20]) {
				return
			}
		}
	}
	require.FailNow(i.t, "no check was answered")
}

// hello is the DTLS ClientHello of a client that is not there any more.
func hello(t *testing.T) []byte {
	t.Helper()
	f := serveIsolated(t, nil)
	tapped := tap(t)
	listen(t, 1, byHTTP(t, f.url+"/rooms/hello/whep"), tapped.mux).close(t)
	for _, b := range tapped.all() {
		if isHandshake(b) && b[13] == 1 {
			return b
		}
	}
	require.FailNow(t, "no ClientHello was sent")
	return nil
}

func isHandshake(b []byte) bool { return len(b) > 13 && b[0] == 22 }
func isMedia(b []byte) bool     { return len(b) > 12 && b[0]>>6 == 2 }
func isReport(b []byte) bool    { return isMedia(b) && b[1] >= 192 && b[1] < 224 }
func isCheck(b []byte) bool     { return len(b) >= 20 && b[0] == 0 && b[1] == 1 }

// A socket is a client's UDP socket that keeps what it sends.
type socket struct {
	*net.UDPConn
	server netip.AddrPort // the last that was sent to

	mu       sync.Mutex
	sent     [][]byte
	answered int // checks
}

// tap makes one.
func tap(t *testing.T) *socket {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &socket{UDPConn: conn}
}

// mux lets a client use the socket.
func (s *socket) mux(settings *webrtc.SettingEngine) {
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled // the socket ends before the mux that reads it
	settings.SetICEUDPMux(ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: s, Logger: quiet.NewLogger("mux")}))
}

// WriteTo implements net.PacketConn.
func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, err := netip.ParseAddrPort(to.String())
	if err != nil {
		return 0, err
	}
	return s.WriteToAddrPort(b, addr)
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (s *socket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.mu.Lock()
	s.sent, s.server = append(s.sent, bytes.Clone(b)), to
	s.mu.Unlock()
	return s.WriteToUDPAddrPort(b, to)
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (s *socket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := s.ReadFromUDPAddrPort(b)
	if err == nil && n >= 20 && b[0] == 1 {
		s.mu.Lock()
		s.answered++
		s.mu.Unlock()
	}
	return n, from, err
}

// checks sends a check again that the client has sent, until one is answered. By
// then the server has read what was sent before.
func (s *socket) checks(t *testing.T) {
	t.Helper()
	sent := s.all()
	check := sent[slices.IndexFunc(sent, isCheck)]
	answered := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.answered
	}
	before := answered()
	for try := 0; answered() == before; try++ {
		require.Less(t, try, 100_000, "no check is answered")
		if try%500 == 0 {
			s.replay(check)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// all is what was sent so far, but for what replay sent.
func (s *socket) all() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[:len(s.sent):len(s.sent)]
}

// replay sends a datagram of the intruder's making from the client's own socket.
func (s *socket) replay(b []byte) {
	s.mu.Lock()
	to := s.server
	s.mu.Unlock()
	_, _ = s.WriteToUDPAddrPort(b, to)
}

func TestDatagramFloodFromStrangersIsIgnored(t *testing.T) {
	f := serveIsolated(t, nil)
	clientHello := hello(t)
	report, err := (&rtcp.ReceiverReport{SSRC: 1}).Marshal()
	require.NoError(t, err)
	speech, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 111, SSRC: 1}, Payload: make([]byte, 80)}).Marshal()
	require.NoError(t, err)
	noise := make([]byte, 1200)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	noSTUN := bytes.Clone(check(t, "nobody", "nothing"))
	noSTUN[3]++
	f.undisturbed(t, func() {
		insider := f.intruderIn(t, "calm", "whep")
		insider.checks()
		addresses := f.figure(t, "earshot_media_addresses")
		refused := f.figure(t, "earshot_media_datagrams_refused_total")
		const strangers, rounds = 50, 40
		kinds := [][]byte{
			check(t, "nobody", "nothing"), check(t, insider.name, "a guessed password"), noSTUN, clientHello,
			{21, 254, 253, 0, 1, 0, 0, 0, 0, 0, 5, 0, 2, 1, 0}, report, speech, noise, {0x40, 0, 0, 8}, {0x80}, {22}, {},
		}
		var all []*intruder
		for range strangers {
			all = append(all, f.intruder(t))
		}
		for range rounds {
			for i, stranger := range all {
				for _, b := range kinds {
					stranger.sends(b)
				}
				if i%5 == 0 {
					insider.checks() // keeps the flood to what the server reads
				}
			}
		}
		assert.Equal(t, addresses, f.figure(t, "earshot_media_addresses"), "nobody is remembered")
		// An empty datagram is not even counted, and one from a full buffer is
		// lost; nearly all are there.
		assert.Greater(t, f.figure(t, "earshot_media_datagrams_refused_total")-refused, 0.9*strangers*rounds*float64(len(kinds)-1))
		for _, stranger := range all {
			require.NoError(t, stranger.conn.SetReadDeadline(time.Now()))
			n, err := stranger.conn.Read(make([]byte, 2048))
			require.Error(t, err, "%d bytes were answered", n)
		}
		insider.leaves()
	})
}

func TestGuessedICEUfragGetsNothing(t *testing.T) {
	f := serveIsolated(t, nil)
	var names []string
	noting := func(by exchange) exchange {
		return func(offer string) string {
			answer := by(offer)
			name, _ := iceOf(t, answer)
			names = append(names, name)
			return answer
		}
	}
	ear := listen(t, 1, noting(byHTTP(t, f.url+"/rooms/hall/whep")))
	mic := publish(t, noting(byHTTP(t, f.url+"/rooms/hall/whip")))
	addresses := f.figure(t, "earshot_media_addresses")
	f.undisturbed(t, func() {
		insider := f.intruderIn(t, "calm", "whep")
		insider.checks()
		thieves := []*intruder{f.intruder(t), f.intruder(t), f.intruder(t), f.intruder(t), f.intruder(t)}
		for range 20 {
			for _, thief := range thieves {
				for _, name := range names {
					thief.sends(check(t, name, "a guessed password"))
				}
			}
			insider.checks()
		}
		insider.leaves()
		// More addresses than a session may have, and it still has its own.
		sent := frames(t, "reader.ogg", 50)
		mic.say(sent, 30)
		requireHeard(t, sent, ear.wait(t, len(sent)))
		for _, thief := range thieves {
			require.NoError(t, thief.conn.SetReadDeadline(time.Now()))
			_, err := thief.conn.Read(make([]byte, 2048))
			require.Error(t, err, "nothing is sent there")
		}
	})
	assert.GreaterOrEqual(t, f.figure(t, "earshot_media_addresses"), addresses)
}

func TestForgedAndReplayedMediaIsNotHeard(t *testing.T) {
	f := serveIsolated(t, nil)
	ear := listen(t, 1, byHTTP(t, f.url+"/rooms/hall/whep"))
	tapped := tap(t)
	mic := publish(t, byHTTP(t, f.url+"/rooms/hall/whip"), tapped.mux)
	sent := frames(t, "reader.ogg", 200)
	mic.say(sent[:100], 30)
	ear.wait(t, 100)
	f.undisturbed(t, func() {
		var packets [][]byte
		for _, b := range tapped.all() {
			if isMedia(b) {
				packets = append(packets, b)
			}
		}
		require.GreaterOrEqual(t, len(packets), 100)
		elsewhere := f.intruder(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i, b := range packets {
				fake := bytes.Clone(b)
				fake[len(fake)-1] ^= 1 // a tag that is wrong
				tapped.replay(fake)
				later := bytes.Clone(fake) // of a packet that is still to come
				if !isReport(b) {
					binary.BigEndian.PutUint16(later[2:], binary.BigEndian.Uint16(b[2:])+120)
				}
				tapped.replay(later)
				tapped.replay(b)               // as it was, from where it was
				elsewhere.sends(b)             // and from elsewhere
				elsewhere.sends(later)         //
				tapped.replay(b[:len(b)-5])    // cut short
				tapped.replay(append(b, 0, 0)) // and too long
				if i%10 == 9 {
					time.Sleep(10 * time.Millisecond)
				}
			}
		}()
		mic.say(sent[100:], 30) // in the middle of it
		<-done
		requireNothingMissed(t, sent, ear.wait(t, len(sent)))
	})
	assert.Len(t, ear.all(), len(sent), "nor later")
}

func TestWrongAuthenticationTagsCostOthersNoPacket(t *testing.T) {
	f := serveIsolated(t, nil)
	tapped := tap(t)
	mic := publish(t, byHTTP(t, f.url+"/rooms/hall/whip"), tapped.mux)
	heard := tap(t)
	ear := listen(t, 1, byHTTP(t, f.url+"/rooms/hall/whep"), heard.mux)
	mic.say(frames(t, "reader.ogg", 25), 30)
	ear.wait(t, 25)
	f.undisturbed(t, func() {
		for _, s := range []*socket{tapped, heard} {
			fake := make([]byte, 120)
			for i := range 8_000 {
				fake[0], fake[1] = 0x80, byte(111)
				if i%2 == 0 {
					fake[1] = 201 // a receiver report
				}
				binary.BigEndian.PutUint16(fake[2:], uint16(i))
				binary.BigEndian.PutUint32(fake[len(fake)-4:], 1<<31|uint32(i))
				s.replay(fake)
				if i%100 == 99 {
					s.checks(t) // as fast as the server reads them
				}
			}
		}
		mic.say(frames(t, "reader.ogg", 25), 30)
		ear.wait(t, 50)
	})
}

func TestRepeatedHandshakesLeaveEarUndisturbed(t *testing.T) {
	f := serveIsolated(t, nil)
	tapped := tap(t)
	ear := listen(t, 1, byHTTP(t, f.url+"/rooms/hall/whep"), tapped.mux)
	mic := publish(t, byHTTP(t, f.url+"/rooms/hall/whip"))
	sent := frames(t, "reader.ogg", 100)
	mic.say(sent[:10], 30)
	ear.wait(t, 10)
	other := hello(t)
	f.undisturbed(t, func() {
		var flights [][]byte
		for _, b := range tapped.all() {
			if isHandshake(b) || isCheck(b) && len(flights) < 50 {
				flights = append(flights, b)
			}
		}
		require.NotEmpty(t, flights)
		stranger := f.intruder(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 50 {
				for _, b := range append(flights, other) {
					tapped.replay(b)
					if !isCheck(b) {
						stranger.sends(b)
					}
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		mic.say(sent[10:], 30)
		<-done
		requireNothingMissed(t, sent, ear.wait(t, len(sent)))
		require.NoError(t, stranger.conn.SetReadDeadline(time.Now()))
		_, err := stranger.conn.Read(make([]byte, 2048))
		require.Error(t, err, "a hello from elsewhere is not answered")
	})
}

func TestMediaBeforeHandshakeIsNotHeard(t *testing.T) {
	f := serveIsolated(t, nil)
	ear := listen(t, 1, byHTTP(t, f.url+"/rooms/hall/whep"))
	f.undisturbed(t, func() {
		early := f.intruderIn(t, "hall", "whip")
		early.checks()
		for i := range 200 {
			for _, size := range []int{1, 20, 300} {
				b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 111, SSRC: 7,
					SequenceNumber: uint16(i), Timestamp: uint32(960 * i)}, Payload: make([]byte, size)}).Marshal()
				require.NoError(t, err)
				early.sends(b)
			}
			if i%50 == 49 {
				early.checks()
			}
		}
		early.leaves()
	})
	assert.Empty(t, ear.all())
}

func TestWrongFingerprintEndsSessionBeforeMedia(t *testing.T) {
	for _, way := range []string{"whip", "whep"} {
		t.Run(way, func(t *testing.T) {
			f := serveIsolated(t, nil) // whose sessions of before are not still ending
			f.undisturbed(t, func() {
				ended := f.figure(t, "earshot_media_sessions_ended_total", "handshake_failed")
				direction := map[string]webrtc.RTPTransceiverDirection{
					"whip": webrtc.RTPTransceiverDirectionSendonly, "whep": webrtc.RTPTransceiverDirectionRecvonly}[way]
				pc := plain(t)
				_, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: direction})
				require.NoError(t, err)
				offer, err := pc.CreateOffer(nil)
				require.NoError(t, err)
				require.NoError(t, pc.SetLocalDescription(offer))
				// The answer goes to one who has not the certificate that the offer
				// told of: who reads along on the way, say.
				own, found := fingerprintOf(offer.SDP)
				require.True(t, found)
				answer := byHTTP(t, f.url+"/rooms/calm/"+way)(strings.ReplaceAll(offer.SDP, own, strangerPrint))
				require.NoError(t, pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
				require.Eventually(t, func() bool {
					return f.figure(t, "earshot_media_sessions_ended_total", "handshake_failed") == ended+1
				}, patience, 10*time.Millisecond)
				require.NoError(t, pc.GracefulClose())
			})
		})
	}
}

// fingerprintOf finds the value of a=fingerprint.
func fingerprintOf(text string) (string, bool) {
	_, rest, found := strings.Cut(text, "a=fingerprint:")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value, found
}

func TestAbandonedHandshakesKeepNobodyOut(t *testing.T) {
	f := serveIsolated(t, nil)
	clientHello := hello(t)
	f.undisturbed(t, func() {
		var stalled []*intruder
		for range 150 { // more than run at a time
			i := f.intruderIn(t, "calm", "whep")
			i.checks()
			i.sends(clientHello)
			stalled = append(stalled, i)
		}
		listen(t, 1, byHTTP(t, f.url+"/rooms/calm/whep")).close(t)
		for _, i := range stalled {
			i.leaves()
		}
	})
}

func TestFloodingSpeakerIsForwardedAtSpeechRate(t *testing.T) {
	f := serveIsolated(t, nil)
	ear := listen(t, 1, byHTTP(t, f.url+"/rooms/hall/whep"))
	mic := publish(t, byHTTP(t, f.url+"/rooms/hall/whip"))
	speech := frames(t, "reader.ogg", 1)[0].Payload
	began := time.Now()
	f.undisturbed(t, func() {
		for i := range 5000 {
			require.NoError(t, mic.track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2,
				SequenceNumber: mic.sequence + uint16(i), Timestamp: mic.stamp + uint32(i*960)}, Payload: speech}))
			if i%10 == 9 {
				time.Sleep(time.Millisecond) // so that what is left out is not the network's doing
			}
		}
	})
	assert.NotZero(t, f.figure(t, "earshot_media_datagrams_refused_total", "excess"))
	// Frames of 10 ms, and a second of them at once.
	assert.LessOrEqual(t, len(ear.all()), 100+int(time.Since(began)/(10*time.Millisecond))+1)
	assert.NotEmpty(t, ear.all())
}
