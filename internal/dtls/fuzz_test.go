package dtls

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/dtls/v3/pkg/protocol/recordlayer"
	"github.com/stretchr/testify/require"
)

// firstFlight is a datagram that begins a handshake.
func firstFlight(t testing.TB) []byte {
	p := newPair(t)
	p.client.Start(p.now)
	return p.client.take()[0]
}

// FuzzRecords holds that the records of a datagram are its beginning, cut where
// Pion cuts it.
func FuzzRecords(f *testing.F) {
	first := firstFlight(f)
	f.Add(first)
	f.Add(append(bytes.Clone(first), appendRecordHeader(nil, RecordAlert, 1, 5, 0)...))
	f.Add(append(appendRecordHeader(nil, RecordChangeCipherSpec, 0, 7, 1), 1))
	f.Add(appendRecordHeader(nil, RecordApplication, 1, 1<<48-1, 60000))
	f.Add([]byte{22, 0xfe, 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		at := 0
		for r := range Records(b) {
			require.Equal(t, b[at:at+len(r.Raw)], r.Raw)
			require.Equal(t, r.Raw[RecordHeader:], r.Body)
			require.Equal(t, uint64(r.Epoch)<<48|r.Seq, binary.BigEndian.Uint64(r.Raw[3:]))
			at += len(r.Raw)
			var theirs recordlayer.Header
			require.NoError(t, theirs.Unmarshal(r.Raw), "Pion reads whatever is read here")
			require.Equal(t, r.Epoch, theirs.Epoch)
			require.Equal(t, r.Seq, theirs.SequenceNumber)
		}
	})
}

// FuzzSession holds that nothing but what the peer's keys sealed ends a
// session, and that no datagram is answered with more than the last flight, nor
// oftener than it may be.
func FuzzSession(f *testing.F) {
	var k keys
	copy(k.writeKey[:], "our key of bytes")
	copy(k.readKey[:], "their key, which")
	peer := Session{keys: keys{writeKey: k.readKey, writeIV: k.readIV}}
	finished := bytes.Repeat([]byte{20}, 24)
	f.Add(firstFlight(f))
	f.Add(peer.CloseNotify())
	f.Add(peer.keys.seal(nil, RecordAlert, []byte{alertWarning, 90}))
	f.Add(peer.keys.seal(nil, RecordHandshake, finished))
	f.Add(peer.keys.seal(nil, RecordApplication, []byte("x")))
	f.Add(append(appendRecordHeader(nil, RecordAlert, 0, 1, 2), alertFatal, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Session{keys: k, finished: finished}
		now, answers := time.Unix(1000, 0), 0
		for range 3 * maxRetransmissions {
			closed, reply := s.Handle(b, now)
			if closed {
				ends := false
				for r := range Records(b) {
					plain, ok := s.keys.open(r)
					ends = ends || ok && r.Kind == RecordAlert && endsSession(plain)
				}
				require.True(t, ends, "only an authentic alert ends it")
				require.Len(t, reply, RecordHeader+gcmExplicit+2+gcmTag)
				return
			}
			if len(reply) > 0 {
				answers++
				require.Len(t, reply, RecordHeader+1+RecordHeader+gcmExplicit+len(finished)+gcmTag)
			}
			_, again := s.Handle(b, now)
			require.Empty(t, again, "not twice at once")
			now = now.Add(retransmitInterval)
		}
		require.LessOrEqual(t, answers, maxRetransmissions)
	})
}

// FuzzHandshake gives a side what anybody may send it, at each step of the handshake. It
// holds that nobody without the keys makes a session, that a side that still waits for
// its peer's turn is not more than its bounds, and that a handshake that has not failed
// goes on to a session with the right peer.
func FuzzHandshake(f *testing.F) {
	first := firstFlight(f)
	for _, toClient := range []bool{true, false} {
		for at := range byte(3) {
			f.Add(first, at, toClient)
			for _, b := range split(first, 40) {
				f.Add(b, at, toClient)
			}
			f.Add(appendRecordHeader(nil, RecordHandshake, 1, 3, 0), at, toClient)
			f.Add(append(appendRecordHeader(nil, RecordAlert, 0, 1, 2), alertWarning, 90), at, toClient)
			f.Add(append(appendRecordHeader(nil, RecordAlert, 0, 1, 2), alertFatal, 40), at, toClient)
			m := appendMessageHeader(nil, messageCertificate, maxMessage, 3, 5, 1)
			f.Add(append(appendRecordHeader(nil, RecordHandshake, 0, 9, len(m)+1), append(m, 7)...), at, toClient)
			m = appendMessageHeader(nil, messageFinished, finishedLength, 4, 0, finishedLength)
			f.Add(append(appendRecordHeader(nil, RecordHandshake, 0, 9, len(m)+finishedLength), append(m, make([]byte, finishedLength)...)...), at, toClient)
			m = appendMessageHeader(nil, messageHelloVerify, 4, 0, 0, 4)
			f.Add(append(appendRecordHeader(nil, RecordHandshake, 0, 9, len(m)+4), append(m, 0xfe, 0xfd, 1, 2)...), at, toClient)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, at byte, toClient bool) {
		p := newPair(t)
		p.client.Start(p.now)
		victim := p.server
		if toClient {
			victim = p.client
		}
		for i := range byte(6) {
			if i == at%6 {
				before := victim.Session() != nil
				victim.deliver(p.now, b)
				require.True(t, victim.err != nil || before || victim.Session() == nil, "nobody without the keys makes a session")
				require.LessOrEqual(t, victim.incoming.kept, maxKept)
				require.LessOrEqual(t, len(victim.early), maxEarly)
			}
			p.server.deliver(p.now, p.client.take()...)
			p.client.deliver(p.now, p.server.take()...)
		}
		if p.client.Session() != nil && p.server.Session() != nil && p.server.err == nil && p.client.err == nil {
			p.requireAgreed(t)
		}
	})
}

// FuzzHello holds that a hello that is taken is answered with one that this side's
// clients read, and that a hello that is read has what was read of it.
func FuzzHello(f *testing.F) {
	f.Add(appendClientHello(nil, make([]byte, randomLength), []byte("cookie"), []uint16{profileGCM128}), true)
	f.Add(appendServerHello(nil, make([]byte, randomLength), &hello{extendedMaster: true, renegotiation: true, pointFormats: true}, profileGCM128), false)
	f.Add([]byte{0xfe, 0xfd}, true)
	f.Fuzz(func(t *testing.T, body []byte, client bool) {
		h, ok := readHello(body, client)
		if !ok {
			return
		}
		require.Len(t, h.random, randomLength)
		require.NotEmpty(t, h.suites)
		for _, list := range [][]uint16{h.groups, h.schemes, h.profiles, h.versions, h.suites} {
			require.LessOrEqual(t, 2*len(list), len(body))
		}
		answer, ok := readHello(appendServerHello(nil, h.random, &h, profileGCM128), false)
		require.True(t, ok)
		require.Equal(t, h.random, answer.random)
		require.Equal(t, []uint16{profileGCM128}, answer.profiles)
		require.Equal(t, h.extendedMaster, answer.extendedMaster)
		require.Equal(t, h.renegotiation, answer.renegotiation)
		require.Equal(t, h.pointFormats, answer.pointFormats)
	})
}
