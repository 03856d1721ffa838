package client

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A ledgerConn records each write call and each change of the gather time.
type ledgerConn struct {
	udpbatch.Conn
	calls   [][]string
	gathers []time.Duration
}

func (c *ledgerConn) SetGather(d time.Duration) { c.gathers = append(c.gathers, d) }

func (c *ledgerConn) WriteBatch(ms []udpbatch.Message) (int, error) {
	var call []string
	for _, m := range ms {
		call = append(call, string(m.Buf))
	}
	c.calls = append(c.calls, call)
	return len(ms), nil
}

func TestSendBatchGathersOnlyPeriodicPackets(t *testing.T) {
	conn := &ledgerConn{}
	o := &sendBatch{conn: conn}
	check, report := []byte{0, 1, 'c'}, []byte{0x81, 201, 'r'}
	post := func(b []byte) bool { return o.add(udpbatch.Message{Buf: b}) }

	assert.False(t, post(check), "nothing is gathered yet")
	o.open()
	assert.True(t, post(check))
	assert.True(t, post(report))
	for name, b := range map[string][]byte{
		"a handshake":        {22, 0xfe, 0xfd},
		"audio":              rtpPacket(1, 2),
		"a report too long":  append([]byte{0x81, 201}, make([]byte, sendBatchPacket)...),
		"a check too long":   make([]byte, sendBatchPacket+1),
		"nothing at all":     {},
		"a channel of TURNs": {0x40, 0},
	} {
		assert.False(t, post(b), name)
	}
	check[2] = 'x' // the caller may reuse its memory
	assert.Empty(t, conn.calls)
	o.close()
	assert.Equal(t, [][]string{{"\x00\x01c", "\x81\xc9r"}}, conn.calls)
	assert.False(t, post(check), "nothing is gathered any more")
	o.open()
	o.close()
	assert.Len(t, conn.calls, 1, "no call for nothing")
}

func TestSendBatchKeepsOrderWhenFull(t *testing.T) {
	conn := &ledgerConn{}
	o := &sendBatch{conn: conn}
	o.open()
	var sent []string
	for i := range 2*sendBatchLength + 1 {
		b := []byte{0, 1, byte(i)}
		require.True(t, o.add(udpbatch.Message{Buf: b}))
		sent = append(sent, string(b))
	}
	o.close()
	require.Len(t, conn.calls, 3)
	assert.Equal(t, sent, slices.Concat(conn.calls...))
}

// However late the crowd's timers run, every client reports once every 5 s.
func TestCrowdReportsEveryFiveSecondsWithLateTimers(t *testing.T) {
	c := &Crowd{}
	clients := make([]*LeanClient, 3*reportGroups)
	for i := range c.groups {
		c.groups[i] = map[*clientPath]struct{}{}
	}
	for i := range clients {
		clients[i] = &LeanClient{}
		c.addPath(&clientPath{client: clients[i]})
	}
	const rounds = 3
	for _, step := range []time.Duration{tickInterval, 35 * time.Millisecond, 777 * time.Millisecond, reportInterval} {
		reports := map[*LeanClient]int{}
		for at := time.Duration(0); at < rounds*reportInterval; {
			next := min(at+step, rounds*reportInterval)
			for _, e := range c.due(nil, at, next) {
				reports[e]++
			}
			at = next
		}
		require.Len(t, reports, len(clients))
		for _, e := range clients {
			require.Equal(t, rounds, reports[e], "with timers each %v", step)
		}
	}
	assert.Len(t, c.due(nil, 0, time.Hour), len(clients), "reports missed for an hour are not sent later")
}

// A client's first check is sent at once or in a batch, and comes from the client's own
// address.
func TestLeanClientChecksReachTheServer(t *testing.T) {
	if !SharesSockets {
		t.Skip("clients share sockets on Linux alone")
	}
	clock := timebase.NewClock()
	server, err := udpbatch.Listen(context.Background(), "127.0.0.1:0", udpbatch.Options{})
	require.NoError(t, err)
	c, err := NewCrowd(clock, &feedback.NACKCounter{}, func(time.Duration, uint64) {}, 1, TURN{})
	require.NoError(t, err)
	const clients = 50
	for range clients {
		e := c.NewClient(1, network.UDP, nil, network.RepairNone, nil)
		e.setRemote(&sdp.Remote{ICE: sdp.NewCredentials(), Fingerprint: sdp.NewFingerprint([]byte("a certificate"))})
		require.NoError(t, e.connect(t.Context(), server.LocalAddr()))
	}
	from := map[netip.Addr]bool{}
	ms := make([]udpbatch.Message, 8)
	for i := range ms {
		ms[i].Buf = make([]byte, packetSize)
	}
	require.NoError(t, server.SetReadDeadline(time.Now().Add(10*time.Second)))
	for len(from) < clients {
		n, err := server.ReadBatch(ms)
		require.NoError(t, err)
		for _, m := range ms[:n] {
			from[m.Addr.Addr()] = true
		}
	}
	require.NoError(t, c.Close())
	require.NoError(t, server.Close())
}
