package endtoend_test

import (
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// ofCrowd tells whether an address is one of the crowd's lean listeners', and
// not a probe's or a mic's.
func ofCrowd(a netip.AddrPort) bool { return netip.MustParsePrefix("127.1.0.0/16").Contains(a.Addr()) }

// every is how far apart moments are on average.
func every(moments []time.Time) time.Duration {
	if len(moments) < 2 {
		return 0
	}
	return moments[len(moments)-1].Sub(moments[0]) / time.Duration(len(moments)-1)
}

// In every run each client costs the server what a browser does: it checks
// consent each 2.5 s and sends a receiver report each 5 s, as somebody counts
// who stands between the two. The averages are given room for a busy machine.
func TestClientsSendConsentChecksAndReportsLikeBrowser(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"earshot", "whep"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			url, sent := serveBehindUDPProxy(t)
			d := native(t, url)
			if driver == "whep" {
				var err error
				d, err = whep.New(url+"/rooms/{room}/whip", url+"/rooms/{room}/whep", "", nil)
				require.NoError(t, err)
			}
			r := played(t, d, `
name: counted from outside
room: {capacity: 12, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 12, arrive: {within: 200ms}}
hold: 22s
`)
			joined := rateOf(t, r, "joined")
			assert.Equal(t, joined.Total, joined.Passes, "joined")
			crowd, full := 0, 0
			for from, p := range sent.all() {
				if !ofCrowd(from) {
					// A full client tries each of its addresses, and goes on from one.
					if len(p.checks) >= 6 && len(p.reports) >= 3 {
						assert.LessOrEqual(t, every(p.checks).Seconds(), 3.25, "%s checks", from)
						assert.LessOrEqual(t, every(p.reports).Seconds(), 6.0, "%s reports", from)
						full++
					}
					continue
				}
				crowd++
				assert.GreaterOrEqual(t, len(p.checks), 6, "%s", from)
				assert.InDelta(t, 2.5, every(p.checks[1:]).Seconds(), 0.75, "%s checks", from)
				assert.GreaterOrEqual(t, len(p.reports), 3, "%s", from)
				assert.InDelta(t, 5, every(p.reports).Seconds(), 1, "%s reports", from)
			}
			assert.Equal(t, 10, crowd, "all but two, who are probes")
			assert.GreaterOrEqual(t, full, 3, "the probes and the speaker, who may have an ear as well")
		})
	}
}

// Somebody floods the sockets of the generator until they overflow. What is lost
// there is not the server's loss: the run counts it as its own, so that a threshold on
// what was delivered is undecided.
func TestGeneratorSocketDropsMakeRunInvalid(t *testing.T) {
	url, sent := serveBehindUDPProxy(t)
	s := written(t, `
name: flooded
room: {capacity: 12, slots: 1}
cast:
  - {role: speaker, count: 1, audio: audio/speech.ogg}
  - {role: listener, count: 12, arrive: {within: 200ms}}
hold: 4s
thresholds:
  delivered: ["rate == 1"]
`)
	r := playedFlooded(t, url, sent, s)
	require.Positive(t, dropped(r), "whatever is sent while nobody can read overflows a buffer")
	t.Log(dropped(r), "packets were dropped, and", r.Values["delivered"], "delivered")
	drops, ok := r.Values["generator_drops"].(metric.Counter)
	require.True(t, ok)
	assert.EqualValues(t, dropped(r), drops)
	judged := report.Judge(r, s.Thresholds)
	if delivered, _ := r.Values["delivered"].(metric.Rate); delivered.Passes == delivered.Total {
		// Chance had it that only junk was dropped. The fault table has more of this.
		assert.NotEqual(t, report.Fail, judged.Verdict)
		return
	}
	assert.Equal(t, report.Invalid, judged.Verdict)
	assert.Contains(t, strings.Join(judged.Reasons, "\n"), "in doubt: the generator's sockets and machine dropped")
}

// dropped is how many packets the generator's sockets and machine dropped.
func dropped(r *loadgen.Result) uint64 {
	return r.Generator.SocketDrops + r.Generator.MachineDrops.Total()
}

// playedFlooded plays a scenario while somebody floods the sockets of its crowd: with more than they hold,
// in one go, and while nothing else of this process can run.
func playedFlooded(t *testing.T, url string, sent *traffic, s *scenario.Scenario) *loadgen.Result {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	conn, err := udpbatch.Listen(t.Context(), "127.0.0.1:0", udpbatch.Options{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, conn.Close()) }()
	// The kernel doubles the size of a buffer, and counts more than the data.
	datagram := make([]byte, 60_000)
	junk := make([]udpbatch.Message, 2*host.LargestReceiveBuffer/len(datagram))
	var flood sync.WaitGroup
	defer flood.Wait()
	var over, begun atomic.Bool
	defer over.Store(true)
	r, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: native(t, url), Watch: func(now loadgen.Snapshot) {
		// It goes on for the whole hold: dropped junk alone costs the run nothing,
		// only a dropped packet of the speaker puts what was delivered in doubt.
		over.Store(begun.Load() && now.Phase != "steady")
		if now.Phase != "steady" || begun.Swap(true) {
			return
		}
		flood.Go(func() {
			for ; !over.Load(); time.Sleep(20 * time.Millisecond) {
				for at := range sent.all() {
					if !ofCrowd(at) {
						continue
					}
					for i := range junk {
						junk[i] = udpbatch.Message{Buf: datagram, Addr: at}
					}
					_, err := conn.WriteBatch(junk)
					assert.NoError(t, err)
				}
			}
		})
	}})
	require.NoError(t, err)
	return r
}
