package lite

import (
	"bytes"
	"crypto/sha1"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pionCheck builds the request that pion/ice builds.
func pionCheck(t testing.TB, to, from, pwd string, more ...stun.Setter) []byte {
	t.Helper()
	m, err := stun.Build(append(append([]stun.Setter{stun.BindingRequest, stun.TransactionID,
		stun.NewUsername(to + ":" + from)}, more...),
		stun.NewShortTermIntegrity(pwd), stun.Fingerprint)...)
	require.NoError(t, err)
	return m.Raw
}

func TestSTUNParsesPionsChecks(t *testing.T) {
	h := new(stunHMACPool).get()
	raw := pionCheck(t, "server", "client", "swordfish", ice.AttrControlling(77), ice.UseCandidate(), ice.PriorityAttr(99))
	var m stunMessage
	require.True(t, m.parse(raw))
	assert.EqualValues(t, bindingRequest, m.kind)
	assert.True(t, m.useCandidate)
	assert.True(t, m.controlling)
	assert.False(t, m.controlled)
	assert.EqualValues(t, 77, m.tiebreaker)
	assert.EqualValues(t, 99, m.priority)
	assert.True(t, m.fingerprinted)
	assert.Zero(t, m.unknown)
	to, from, ok := m.usernames()
	require.True(t, ok)
	assert.Equal(t, "server", string(to))
	assert.Equal(t, "client", string(from))
	assert.True(t, m.authentic(h, "swordfish"))
	assert.False(t, m.authentic(h, "swordfisH"))

	for i := range raw {
		if i == len(raw)-8 || i == len(raw)-7 {
			continue // turns the FINGERPRINT into an attribute after the integrity, which is ignored
		}
		forged := bytes.Clone(raw)
		forged[i] ^= 0x10
		assert.False(t, m.parse(forged) && m.authentic(h, "swordfish"), "byte %d", i)
	}
	for n := range raw {
		assert.False(t, m.parse(raw[:n]), "cut to %d bytes", n)
	}
}

func TestPionParsesOurSTUN(t *testing.T) {
	h := new(stunHMACPool).get()
	for _, addr := range []string{"192.0.2.7:4321", "[2001:db8::17]:5"} {
		from := netip.MustParseAddrPort(addr)
		id := transactionID{1, 2, 3, 4}
		raw := appendBindingSuccess(nil, h, id, from, "swordfish")
		m := &stun.Message{Raw: bytes.Clone(raw)}
		require.NoError(t, m.Decode())
		require.Equal(t, stun.BindingSuccess, m.Type)
		require.NoError(t, stun.NewShortTermIntegrity("swordfish").Check(m))
		require.NoError(t, stun.Fingerprint.Check(m))
		var mapped stun.XORMappedAddress
		require.NoError(t, mapped.GetFrom(m))
		assert.True(t, mapped.IP.Equal(net.IP(from.Addr().AsSlice())))
		assert.EqualValues(t, from.Port(), mapped.Port)

		var back stunMessage
		require.True(t, back.parse(raw))
		got, ok := back.mappedAddress()
		require.True(t, ok)
		assert.Equal(t, from, got)
		assert.Equal(t, id, back.transaction)
	}

	c := check{id: transactionID{9}, to: "server", from: "clie", key: "swordfish", priority: 5, tiebreaker: 6, controlling: true}
	m := &stun.Message{Raw: c.append(nil, h)}
	require.NoError(t, m.Decode())
	require.Equal(t, stun.BindingRequest, m.Type)
	require.NoError(t, stun.NewShortTermIntegrity("swordfish").Check(m))
	require.NoError(t, stun.Fingerprint.Check(m))
	var name stun.Username
	require.NoError(t, name.GetFrom(m))
	assert.Equal(t, "server:clie", name.String())
	var role ice.AttrControlling
	require.NoError(t, role.GetFrom(m))
	assert.EqualValues(t, 6, role)
	var priority ice.PriorityAttr
	require.NoError(t, priority.GetFrom(m))
	assert.EqualValues(t, 5, priority)
	assert.True(t, ice.UseCandidate().IsSet(m))

	m = &stun.Message{Raw: appendBindingError(nil, h, transactionID{1}, codeRoleConflict, 0, "swordfish")}
	require.NoError(t, m.Decode())
	require.NoError(t, stun.Fingerprint.Check(m))
	var code stun.ErrorCodeAttribute
	require.NoError(t, code.GetFrom(m))
	assert.Equal(t, stun.CodeRoleConflict, code.Code)
	m = &stun.Message{Raw: appendBindingError(nil, h, transactionID{1}, codeUnknown, 0x0007, "swordfish")}
	require.NoError(t, m.Decode())
	var unknown stun.UnknownAttributes
	require.NoError(t, unknown.GetFrom(m))
	assert.Equal(t, stun.UnknownAttributes{7}, unknown)
}

func TestSTUNIntegrityMatchesPionForEveryKeyLength(t *testing.T) {
	h := new(stunHMACPool).get()
	for n := 1; n <= sha1.BlockSize; n++ {
		key := string(bytes.Repeat([]byte{'k'}, n))
		var m stunMessage
		require.True(t, m.parse(pionCheck(t, "server", "client", key)))
		require.True(t, m.authentic(h, key), "%d", n)
	}
}

func TestSTUNAllocatesNothing(t *testing.T) {
	hashes := new(stunHMACPool)
	raw := pionCheck(t, "server", "client", "swordfish", ice.AttrControlling(77), ice.UseCandidate())
	from := netip.MustParseAddrPort("192.0.2.7:4321")
	out := make([]byte, 0, 200)
	hashes.put(hashes.get())
	allocs := testing.AllocsPerRun(1000, func() {
		h := hashes.get()
		var m stunMessage
		if !m.parse(raw) || m.authentic(h, "wrong") || !m.authentic(h, "swordfish") {
			panic("not authentic")
		}
		out = appendBindingSuccess(out[:0], h, m.transaction, from, "swordfish")
		hashes.put(h)
	})
	if !raceEnabled {
		assert.Zero(t, allocs)
	}
}

func FuzzSTUN(f *testing.F) {
	f.Add(pionCheck(f, "server", "client", "swordfish", ice.AttrControlling(77), ice.UseCandidate()))
	f.Add(appendBindingSuccess(nil, new(stunHMACPool).get(), transactionID{}, netip.MustParseAddrPort("[::1]:5"), "k"))
	f.Add([]byte{})
	h := new(stunHMACPool).get()
	f.Fuzz(func(t *testing.T, b []byte) {
		var m stunMessage
		if !m.parse(b) {
			return
		}
		require.True(t, stun.IsMessage(b))
		theirs := &stun.Message{Raw: bytes.Clone(b)}
		require.NoError(t, theirs.Decode(), "pion reads whatever is read here")
		if m.authentic(h, "swordfish") {
			require.NoError(t, stun.NewShortTermIntegrity("swordfish").Check(theirs))
		}
		m.usernames()
		m.mappedAddress()
	})
}
