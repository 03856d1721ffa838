package dtls

import (
	"bytes"
	"crypto"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHandshake(t *testing.T) {
	p := newPair(t)
	p.client.Start(p.now)
	require.Len(t, p.client.sent, 1)
	assert.True(t, IsHello(p.client.sent[0]))
	assert.Equal(t, p.now.Add(firstInterval), p.client.Deadline())
	assert.True(t, p.server.Deadline().IsZero(), "a server has nothing to repeat")
	p.run()
	p.requireAgreed(t)
	assert.EqualValues(t, profileGCM128, p.client.Profile())
	assert.True(t, p.client.Deadline().IsZero())
	assert.True(t, p.server.Deadline().IsZero())

	client, server := p.client.Session(), p.server.Session()
	closed, reply := server.Handle(client.CloseNotify(), p.now)
	assert.True(t, closed)
	closed, _ = client.Handle(reply, p.now)
	assert.True(t, closed, "it is answered")
}

func TestServerChoosesTheProfile(t *testing.T) {
	for _, row := range []struct {
		client, server []uint16
		want           uint16
	}{
		{[]uint16{profileCM128, profileGCM128}, []uint16{profileGCM128, profileCM128}, profileGCM128},
		{[]uint16{profileCM128}, []uint16{profileGCM128, profileCM128}, profileCM128},
		{[]uint16{profileGCM256}, []uint16{profileGCM128}, 0},
	} {
		p := newPair(t)
		p.client.cfg.profiles, p.server.cfg.profiles = row.client, row.server
		p.run()
		if row.want == 0 {
			assert.ErrorIs(t, p.server.err, ErrProtocol)
			assert.ErrorIs(t, p.client.err, ErrRefused)
			continue
		}
		p.requireAgreed(t)
		assert.Equal(t, row.want, p.server.Profile())
	}
}

func TestWithoutExtendedMasterSecret(t *testing.T) {
	p := newPair(t)
	p.client.Start(p.now)
	b := p.client.take()[0]
	body := bytes.Clone(b[RecordHeader+messageHeader:])
	at := bytes.Index(body, []byte{0, extensionExtendedMaster, 0, 0})
	body[at] = 0x7f // an extension that nobody knows
	p.client.transcript = p.client.transcript[:0]
	p.client.record(messageClientHello, 0, body)
	p.server.deliver(p.now, append(b[:RecordHeader+messageHeader:RecordHeader+messageHeader], body...))
	p.run()
	p.requireAgreed(t)
	assert.False(t, p.client.extendedMaster)
}

// Every kind of bad network, with seeds.
func TestHandshakeOverABadNetwork(t *testing.T) {
	for seed := range uint64(150) {
		n := &badNetwork{random: mathrand.New(mathrand.NewPCG(seed, 1))}
		n.lost, n.twice, n.later = n.random.Float64()*0.5, n.random.Float64()*0.5, n.random.Float64()*0.5
		p := newPair(t)
		p.runOver(n, 20*time.Minute)
		require.NotNil(t, p.client.Session(), "seed %d: %.2f lost, %.2f twice, %.2f later: %v, %v", seed, n.lost, n.twice, n.later, p.client.err, p.server.err)
		p.requireAgreed(t)
	}
}

func TestFragmentsInAnyOrder(t *testing.T) {
	for _, size := range []int{1, 7, 64, 500} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			random := mathrand.New(mathrand.NewPCG(uint64(size), 2))
			p := newPair(t)
			p.client.Start(p.now)
			for len(p.client.sent)+len(p.server.sent) > 0 {
				for _, way := range []struct{ from, to *side }{{p.client, p.server}, {p.server, p.client}} {
					var parts [][]byte
					for _, b := range way.from.take() {
						parts = append(parts, split(b, size)...)
					}
					random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
					way.to.deliver(p.now, parts...)
					way.to.deliver(p.now, parts...) // twice
				}
			}
			p.requireAgreed(t)
		})
	}
}

func TestLongCertificateIsFragmented(t *testing.T) {
	p := newPair(t)
	long := bytes.Repeat([]byte("long"), 1500)
	p.server.cfg.certificate = append(bytes.Clone(p.server.cfg.certificate), long...)
	p.client.verify = func(der []byte) error {
		assert.Equal(t, p.server.cfg.certificate, der)
		return nil
	}
	p.client.Start(p.now)
	p.server.deliver(p.now, p.client.take()...)
	flight := p.server.take()
	assert.Greater(t, len(flight), 4)
	for _, b := range flight {
		assert.LessOrEqual(t, len(b), maxDatagram)
	}
	p.client.deliver(p.now, flight...)
	assert.ErrorContains(t, p.client.err, "read the peer's certificate", "which has something behind it")
}

func TestTimeoutsDouble(t *testing.T) {
	p := newPair(t)
	p.client.Start(p.now)
	var at []time.Duration
	for p.client.take(); len(at) < 9; p.now = p.now.Add(firstInterval) {
		p.client.Timeout(p.now)
		for range p.client.take() {
			at = append(at, p.now.Sub(start))
		}
	}
	s := time.Second
	assert.Equal(t, []time.Duration{s / 2, 3 * s / 2, 7 * s / 2, 15 * s / 2, 31 * s / 2, 63 * s / 2, 127 * s / 2, 247 * s / 2, 367 * s / 2}, at)
}

func TestRepeatedFlightsAreAnsweredWithinBounds(t *testing.T) {
	p := newPair(t)
	p.client.Start(p.now)
	first := p.client.take()[0]
	p.server.deliver(p.now, first)
	require.Len(t, p.server.take(), 1)
	p.server.deliver(p.now, first, first, first)
	assert.Empty(t, p.server.take(), "the network doubled it")
	answers := 0
	for range 10 * maxRetransmissions {
		p.now = p.now.Add(repeatInterval)
		p.server.deliver(p.now, first, first)
		n := len(p.server.take())
		assert.LessOrEqual(t, n, 1)
		answers += n
	}
	assert.Equal(t, maxRetransmissions, answers)
	p.server.Timeout(p.now.Add(time.Hour))
	p.run()
	p.requireAgreed(t)
}

func TestFinishedBeforeItsKeys(t *testing.T) {
	p := newPair(t)
	p.client.Start(p.now)
	p.server.deliver(p.now, p.client.take()...)
	p.client.deliver(p.now, p.server.take()...)
	var records [][]byte
	for r := range Records(p.client.take()[0]) {
		records = append(records, r.Raw)
	}
	slices.Reverse(records)
	p.server.deliver(p.now, records...)
	p.run()
	p.requireAgreed(t)
}

func TestAStrangersCertificateIsRefused(t *testing.T) {
	p := newPair(t)
	p.client.verify = expect(p256Certificate())
	p.run()
	assert.ErrorIs(t, p.client.err, errStranger)
	assert.ErrorIs(t, p.server.err, ErrRefused)
	assert.Nil(t, p.client.private, "no key was made")

	p = newPair(t)
	p.server.verify = expect(p256Certificate())
	p.run()
	assert.ErrorIs(t, p.server.err, errStranger)
	assert.ErrorIs(t, p.client.err, ErrRefused)
	assert.Nil(t, p.server.keyed, "no secret was computed")
}

// A certificate is known to everybody. Its key is not.
func TestACertificateWithoutItsKeyIsRefused(t *testing.T) {
	p := newPair(t)
	p.client.cfg.key = p256Certificate().PrivateKey.(crypto.Signer)
	p.run()
	assert.ErrorIs(t, p.server.err, errSignature)
	assert.ErrorIs(t, p.client.err, ErrRefused)
	assert.Nil(t, p.server.keyed, "no secret was computed")

	p = newPair(t)
	p.server.cfg.key = p256Certificate().PrivateKey.(crypto.Signer)
	p.run()
	assert.ErrorIs(t, p.client.err, errSignature)
	assert.ErrorIs(t, p.server.err, ErrRefused)
	assert.Nil(t, p.client.keyed, "no secret was computed")
}

// Whoever changes anything on the way is found out by the Finished, if not before.
func TestEveryChangeOnTheWayIsFoundOut(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(3, 3))
	for range 400 {
		p := newPair(t)
		p.client.Start(p.now)
		changed := random.IntN(3) // datagram
		for i := 0; len(p.client.sent)+len(p.server.sent) > 0; i++ {
			from, to := p.client, p.server
			if len(from.sent) == 0 {
				from, to = to, from
			}
			for _, b := range from.take() {
				if i == changed {
					at := RecordHeader + random.IntN(len(b)-RecordHeader)
					b[at] ^= 1 << random.IntN(8)
				}
				to.deliver(p.now, b)
			}
		}
		// What is no part of a message, or not understood, is discarded: there is no
		// session, or the same as ever (the level of an alert does not matter, say).
		if p.client.Session() != nil || p.server.Session() != nil {
			assert.Equal(t, p.client.transcript, p.server.transcript)
		}
		if p.client.Session() != nil && p.server.Session() != nil {
			p.requireAgreed(t)
		}
	}
}

func TestAPlainFinishedIsNotTaken(t *testing.T) {
	p := newPair(t)
	p.client.Start(p.now)
	p.server.deliver(p.now, p.client.take()...)
	p.client.deliver(p.now, p.server.take()...)
	sealed := p.client.take()[0]
	var plain []byte
	for r := range Records(sealed) {
		if r.Epoch == 0 {
			plain = append(plain, r.Raw...)
			continue
		}
		k := keys{readKey: p.client.keys.writeKey, readIV: p.client.keys.writeIV}
		body, ok := k.open(r)
		require.True(t, ok)
		plain = append(appendRecordHeader(plain, RecordHandshake, 0, 90, len(body)), body...)
	}
	p.server.deliver(p.now, plain)
	assert.Nil(t, p.server.Session())
	assert.NoError(t, p.server.err)
	p.server.deliver(p.now, sealed)
	assert.NotNil(t, p.server.Session())
}

func TestAnEndUnderTheKeysIsTold(t *testing.T) {
	p := newPair(t)
	p.client.Start(p.now)
	p.server.deliver(p.now, p.client.take()...)
	p.client.deliver(p.now, p.server.take()...)
	p.server.deliver(p.now, p.client.take()...)
	p.server.take() // its last flight is lost
	goodbye := p.server.Session().CloseNotify()
	damaged := bytes.Clone(goodbye)
	damaged[len(damaged)-1]++
	p.client.deliver(p.now, damaged)
	require.NoError(t, p.client.err, "anybody can write that")
	p.client.deliver(p.now, goodbye)
	assert.ErrorIs(t, p.client.err, ErrEnded)
	assert.Nil(t, p.client.Session())
	closed, _ := p.server.Session().Handle(p.client.take()[0], p.now)
	assert.True(t, closed, "it is answered")
}

func TestMessagesOutOfTurnAreRefused(t *testing.T) {
	for kind := range byte(24) {
		p := newPair(t)
		m := appendMessageHeader(nil, kind, 3, 0, 0, 3)
		p.server.deliver(p.now, append(appendRecordHeader(nil, RecordHandshake, 0, 0, len(m)+3), append(m, 1, 2, 3)...))
		if kind == messageFinished {
			assert.NoError(t, p.server.err, "it is discarded, for it is not sealed")
			continue
		}
		assert.ErrorIs(t, p.server.err, ErrProtocol, "message %d", kind)
		assert.Len(t, p.server.sent, 1, "an alert")
		assert.NoError(t, p.server.Handle(p.server.sent[0], p.now), "it has failed once and for all")
	}
}

// Nobody makes a handshake keep more than its bounds, whatever it is sent.
func TestHostileFragmentsAreBounded(t *testing.T) {
	var r reassembly
	for seq := range uint16(200) {
		r.add(&fragment{kind: 1, length: maxMessage + int(seq%3) - 1, seq: seq, offset: 7, body: []byte{1}})
	}
	assert.LessOrEqual(t, r.kept, maxKept)
	kept := 0
	for _, p := range r.partial {
		if p != nil {
			kept += len(p.body)
		}
	}
	assert.Equal(t, r.kept, kept)
	assert.False(t, r.add(&fragment{kind: 2, length: maxMessage - 1, seq: 0, body: []byte{1}}), "of another kind")
	assert.False(t, r.add(&fragment{kind: 1, length: 5, seq: 0, body: []byte{1}}), "of another length")

	p := newPair(t)
	for i := range uint64(100) {
		p.server.deliver(p.now, appendRecordHeader(nil, RecordHandshake, 1, i, 0),
			append(appendRecordHeader(nil, RecordHandshake, 1, i, 200), make([]byte, 200)...),
			append(appendRecordHeader(nil, RecordHandshake, 1, i, 2000), make([]byte, 2000)...))
	}
	assert.Len(t, p.server.early, maxEarly)
	assert.NoError(t, p.server.err)
}

func TestPeersWithNothingInCommonAreTold(t *testing.T) {
	replace := func(old, by string) func([]byte) []byte {
		return func(b []byte) []byte {
			require.Contains(t, string(b), old)
			return bytes.Replace(b, []byte(old), []byte(by), 1)
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"DTLS 1.0":              replace("\xfe\xfd", "\xfe\xff"),
		"no cipher suite":       replace("\xc0\x2b", "\xc0\x2c"),
		"no curve":              replace("\x00\x0a\x00\x06\x00\x04\x00\x17", "\x00\x0a\x00\x06\x00\x04\x00\x18"),
		"no signature":          replace("\x04\x03", "\x02\x03"),
		"no SRTP":               replace("\x00\x0e\x00\x07", "\x7f\x0e\x00\x07"),
		"compression":           replace("\x01\x00\x00", "\x01\x01\x00"),
		"extensions with a gap": func(b []byte) []byte { return append(b, 0) },
		"half an extension":     func(b []byte) []byte { return b[:len(b)-1] },
		"another renegotiation": replace("\xff\x01\x00\x01\x00", "\xff\x01\x00\x01\x01"),
	} {
		p := newPair(t)
		body := change(appendClientHello(nil, make([]byte, randomLength), nil, []uint16{profileGCM128, profileCM128}))
		p.server.record(messageClientHello, 0, body)
		hello := append(appendRecordHeader(nil, RecordHandshake, 0, 0, len(p.server.transcript)), p.server.transcript...)
		p.server.transcript = nil
		p.server.deliver(p.now, hello)
		assert.ErrorIs(t, p.server.err, ErrProtocol, name)
		require.Len(t, p.server.sent, 1, name)
		for r := range Records(p.server.sent[0]) {
			assert.EqualValues(t, RecordAlert, r.Kind, name)
			assert.EqualValues(t, alertFatal, r.Body[0], name)
		}
	}
}

func TestCookies(t *testing.T) {
	p := newPair(t)
	p.client.Start(p.now)
	first := p.client.take()[0]
	ask := func(seq uint16, cookie string) []byte {
		body := append([]byte{0xfe, 0xff, byte(len(cookie))}, cookie...)
		m := append(appendMessageHeader(nil, messageHelloVerify, len(body), seq, 0, len(body)), body...)
		return append(appendRecordHeader(nil, RecordHandshake, 0, uint64(seq), len(m)), m...)
	}
	p.client.deliver(p.now, ask(0, "biscuit"))
	second := p.client.take()[0]
	assert.Contains(t, string(second), "\x07biscuit")
	assert.Equal(t, first[RecordHeader+messageHeader:][:34], second[RecordHeader+messageHeader:][:34], "the same random")

	// The server counts from the hello with the cookie, and so do both transcripts.
	p.server.incoming.next, p.server.flight.next = 1, 1
	p.server.deliver(p.now, second)
	p.run()
	p.requireAgreed(t)

	p = newPair(t)
	p.client.Start(p.now)
	for seq := range uint16(maxCookies + 1) {
		p.client.deliver(p.now, ask(seq, "more"))
	}
	assert.ErrorIs(t, p.client.err, ErrProtocol, "not for ever")
}

// A server that is a full ICE agent may take no hello before it has checked the path itself.
func TestHelloThatWasTooEarlyIsSentAgainSoon(t *testing.T) {
	p := newPair(t)
	p.client.Hurry(p.now)
	assert.True(t, p.client.Deadline().IsZero(), "it has not begun")
	p.client.Start(p.now)
	p.client.take() // and is lost
	checked := p.now.Add(3 * time.Millisecond)
	p.client.Hurry(checked)
	assert.Equal(t, checked.Add(helloAgain), p.client.Deadline())
	p.client.Hurry(checked.Add(time.Millisecond))
	assert.Equal(t, checked.Add(helloAgain), p.client.Deadline(), "once")
	again := p.client.Deadline()
	p.client.Timeout(again)
	require.Len(t, p.client.sent, 1)
	assert.True(t, IsHello(p.client.sent[0]))
	assert.Equal(t, again.Add(firstInterval), p.client.Deadline(), "then it waits as long as ever")
	p.run()
	p.requireAgreed(t)
}

func TestHelloThatWasTakenIsNotHurried(t *testing.T) {
	p := newPair(t)
	p.client.Start(p.now)
	p.server.deliver(p.now, p.client.take()...)
	p.client.deliver(p.now, p.server.take()...)
	due := p.client.Deadline()
	p.client.Hurry(p.now)
	assert.Equal(t, due, p.client.Deadline())
	p.run()
	p.requireAgreed(t)
}
