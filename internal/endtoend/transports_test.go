package endtoend_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/testturn"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling"
)

// mixed has people of all transports, on stage as well.
const mixed = `
name: an audience behind firewalls
room: {capacity: 40, slots: 5}
cast:
  - {role: speaker, count: 5, audio: audio/speech.ogg, turns: {talk: 500ms}, transport: {udp: 1, tcp: 1, turn-udp: 1, turn-tcp: 1, turn-tls: 1}}
  - {role: listener, count: 24, arrive: {within: 500ms}, sections: 5, transport: {udp: 50, tcp: 20, turn-udp: 10, turn-tcp: 10, turn-tls: 10}}
hold: 3s
thresholds: {joined: rate == 1}
`

// TestTransports: with every kind of signaling, mics and listeners over TCP and by a TURN
// server are heard and hear as those over UDP do, and each transport has figures of its own.
func TestTransports(t *testing.T) {
	t.Parallel()
	url, _ := serveMedia(t, rtc.Config{Media: "127.0.0.1:0", ICETCP: "127.0.0.1:0"}, signaling.Config{Open: true})
	web, err := whep.New(url+"/rooms/{room}/whip", url+"/rooms/{room}/whep", "", nil)
	require.NoError(t, err)
	by := turnFor(testturn.Start(t, "ada", "secret"), "ada", "secret")
	for name, d := range map[string]driver.Driver{"WebSocket": native(t, url), "WHEP": web} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: written(t, mixed), Driver: d, TURN: by})
			require.NoError(t, err)
			requireComplete(t, r)
			joined := map[string]uint64{}
			for _, g := range r.Groups {
				if g.By != "transport" {
					continue
				}
				joined[g.Name] = g.Values["joined"].(metric.Rate).Total
				delivered := g.Values["delivered"].(metric.Rate)
				assert.Equal(t, delivered.Total, delivered.Passes, g.Name)
			}
			// The probes, which are among these, go by UDP.
			assert.Len(t, joined, 5, joined)
			assert.Greater(t, joined["udp"], joined["tcp"], joined)
		})
	}
}

// TestTransportThatIsNotThere: who can't go the way that they are to go does not go another,
// and is told why.
func TestTransportThatIsNotThere(t *testing.T) {
	t.Parallel()
	const cast = `
name: over TCP alone
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 4, arrive: {within: 100ms}, transport: %s}
hold: 1s
join_deadline: 2s
`
	with := func(transport string, turn loadgen.TURN) (*loadgen.Result, error) {
		return loadgen.Run(t.Context(), loadgen.Config{
			Scenario: written(t, strings.Replace(cast, "%s", transport, 1)), Driver: native(t, serve(t)), TURN: turn,
		})
	}
	t.Run("a server without TCP candidates", func(t *testing.T) {
		t.Parallel()
		r, err := with("{tcp: 1}", loadgen.TURN{})
		require.NoError(t, err)
		require.NotEmpty(t, r.Problems)
		assert.Contains(t, r.Problems[0].Error, client.ErrNoTCPCandidate.Error())
		assert.Less(t, rateOf(t, r, "joined").Share(), 1.0)
	})
	t.Run("no TURN server is named", func(t *testing.T) {
		t.Parallel()
		_, err := with("{turn-tcp: 1}", loadgen.TURN{})
		require.ErrorIs(t, err, client.ErrNoTURN)
	})
	server := testturn.Start(t, "ada", "secret")
	wrong := turnFor(server, "ada", "wrong")
	t.Run("a TURN server that refuses them", func(t *testing.T) {
		t.Parallel()
		r, err := with("{turn-udp: 1}", wrong)
		require.NoError(t, err)
		require.NotEmpty(t, r.Problems)
		assert.Contains(t, r.Problems[0].Error, "ask the TURN server")
	})
	t.Run("no TURN server over TLS is named", func(t *testing.T) {
		t.Parallel()
		_, err := with("{turn-tls: 1}", loadgen.TURN{Address: server.Address, Username: "ada", Credential: "secret"})
		require.ErrorIs(t, err, client.ErrNoTURNTLS)
	})
	t.Run("a TURN server whose certificate is not trusted", func(t *testing.T) {
		t.Parallel()
		strange := turnFor(server, "ada", "secret")
		strange.TLS = nil
		r, err := with("{turn-tls: 1}", strange)
		require.NoError(t, err)
		require.NotEmpty(t, r.Problems)
		assert.Contains(t, r.Problems[0].Error, "reach the TURN server "+server.TLSAddress)
		assert.Contains(t, r.Problems[0].Error, "certificate")
	})
	t.Run("a TURN server that refuses a mic", func(t *testing.T) {
		t.Parallel()
		_, err := with("{udp: 1}}\n  - {role: speaker, count: 1, audio: audio/speech.ogg, transport: {turn-tcp: 1}", wrong)
		require.ErrorContains(t, err, "the TURN server "+wrong.Address+" gave no address: does it listen there over TCP")
	})
	t.Run("a TCP port of something else", func(t *testing.T) {
		t.Parallel()
		address := silentPort(t)
		_, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		s := serveForeign(t, behavior{answer: func(sdp string) string {
			return strings.Replace(sdp, "a=candidate:", "a=candidate:99 1 tcp 1 127.0.0.1 "+port+" typ host tcptype passive\r\na=candidate:", 1)
		}})
		r, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: written(t, strings.Replace(cast, "%s", "{tcp: 1}", 1)), Driver: s.driver()})
		require.NoError(t, err)
		require.NotEmpty(t, r.Problems)
		assert.Contains(t, r.Problems[0].Error, "no answer to ICE checks over the TCP connection to "+address)
		assert.NotContains(t, r.Problems[0].Error, "UDP")
	})
}

// turnFor is a server as a run names it.
func turnFor(s testturn.Server, user, password string) loadgen.TURN {
	return loadgen.TURN{Address: s.Address, TLSAddress: s.TLSAddress, TLS: s.Roots, Username: user, Credential: password}
}

// silentPort is a TCP port that takes connections, and says nothing.
func silentPort(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Go(func() {
				_, _ = io.Copy(io.Discard, c) // until the client has had enough
				assert.NoError(t, c.Close())
			})
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		connections.Wait()
	})
	return listener.Addr().String()
}
