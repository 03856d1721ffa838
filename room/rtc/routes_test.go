package rtc

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// password is that of all connections here.
const password = "swordfish"

// check is an ICE check, signed with the password unless another is given.
func check(t testing.TB, user string, wrong ...string) []byte {
	t.Helper()
	key := password
	if len(wrong) > 0 {
		key = wrong[0]
	}
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewSoftware("x"), stun.NewUsername(user),
		stun.NewShortTermIntegrity(key), stun.Fingerprint)
	require.NoError(t, err)
	return m.Raw
}

func address(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(1000+n))
}

func TestDatagramsGoToWhomTheyAreFor(t *testing.T) {
	r := newRoutes()
	mic, other := &connection{ufrag: "mic", pwd: password}, &connection{ufrag: "other", pwd: password}
	r.add(mic)
	r.add(other)
	dtls := []byte{22, 254, 253, 0}
	assert.Nil(t, r.forPion(dtls, address(1)), "nobody is known there")
	assert.Nil(t, r.forPion(check(t, "ear:x"), address(1)), "a check of an ear")
	assert.Nil(t, r.forPion(dtls, address(1)))
	assert.NotNil(t, r.forPion(check(t, "mic:x"), address(1)), "a check of a mic")
	assert.NotNil(t, r.forPion(dtls, address(1)), "what comes from there is the mic's")
	assert.Nil(t, r.forPion(dtls, address(2)))
	assert.Nil(t, r.forPion(check(t, "ear:x"), address(1)), "a check names whom it is for, wherever it is from")
	assert.NotNil(t, r.forPion(check(t, "other:x"), address(1)), "another mic takes over the address")
	r.remove(mic)
	assert.NotNil(t, r.forPion(dtls, address(1)))
	r.remove(other)
	assert.Nil(t, r.forPion(dtls, address(1)))
	assert.Nil(t, r.forPion(check(t, "mic:x"), address(1)))
	assert.Empty(t, r.byAddr)
	assert.Empty(t, r.byUfrag)
}

func TestAMicThatFloodsThePortLeavesPlacesToTheOthers(t *testing.T) {
	p, err := openPort("127.0.0.1:0", 1, false)
	require.NoError(t, err)
	defer func() { assert.NoError(t, p.close()) }()
	br, loud, other := newBranch(p), &connection{}, &connection{}
	for range 2 * branchQueue {
		br.put([]byte("flood"), address(1), loud)
	}
	assert.EqualValues(t, 2*branchQueue-branchShare, br.dropped.Load())
	br.put([]byte("speech"), address(2), other)
	b := make([]byte, datagramSize)
	for range branchShare {
		n, from, err := br.ReadFromAddrPort(b)
		require.NoError(t, err)
		require.Equal(t, "flood", string(b[:n]))
		require.Equal(t, address(1), from)
	}
	n, from, err := br.ReadFromAddrPort(b)
	require.NoError(t, err)
	assert.Equal(t, "speech", string(b[:n]))
	assert.Equal(t, address(2), from)
	assert.Zero(t, loud.waiting.Load())
	assert.Zero(t, other.waiting.Load())
	br.put([]byte("again"), address(1), loud)
	assert.EqualValues(t, 2*branchQueue-branchShare, br.dropped.Load(), "there is room again")
}

func TestAConnectionHasFewAddresses(t *testing.T) {
	r := newRoutes()
	mic := &connection{ufrag: "mic", pwd: password}
	r.add(mic)
	for i := range 100 {
		assert.NotNil(t, r.forPion(check(t, "mic:x"), address(i)))
	}
	assert.Len(t, r.byAddr, routedAddresses)
	assert.NotNil(t, r.forPion([]byte{22}, address(99)))
	assert.Nil(t, r.forPion([]byte{22}, address(0)))
}

func TestWhoKnowsAMicsNameAndNotItsPasswordGetsNoAddress(t *testing.T) {
	r := newRoutes()
	mic := &connection{ufrag: "mic", pwd: password}
	r.add(mic)
	assert.NotNil(t, r.forPion(check(t, "mic:x"), address(0)))
	for i := range 100 {
		assert.Nil(t, r.forPion(check(t, "mic:x", "guessed"), address(1+i)))
		assert.Nil(t, r.forPion([]byte{22}, address(1+i)))
	}
	assert.NotNil(t, r.forPion([]byte{22}, address(0)), "the client's own address stays")
	assert.NotNil(t, r.forPion(check(t, "mic:x", "guessed"), address(0)), "from there Pion judges it, as all else")
	assert.Len(t, r.byAddr, 1)
}

func TestFindingARouteAllocatesNothing(t *testing.T) {
	r := newRoutes()
	r.add(&connection{ufrag: "mic", pwd: password})
	mic, ear, dtls := check(t, "mic:x"), check(t, "ear:x"), []byte{22, 1}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		r.forPion(mic, address(1))
		r.forPion(ear, address(2))
		r.forPion(dtls, address(3))
	}))
}

func FuzzCheckedName(f *testing.F) {
	f.Add(check(f, "mic:x"))
	f.Add(check(f, ""))
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42})
	f.Fuzz(func(t *testing.T, b []byte) {
		name, ok := checkedName(b)
		if !ok {
			assert.Nil(t, name)
			return
		}
		assert.NotContains(t, string(name), ":")
		assert.True(t, b[0] <= 3)
	})
}

func TestPionsPartOfThePortIsBounded(t *testing.T) {
	p, err := openPort("127.0.0.1:0", 2, false)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.close()) }()
	br := newBranch(p)
	for i := range branchQueue + 5 {
		br.put(fmt.Append(nil, i), address(i), &connection{})
	}
	assert.Equal(t, uint64(5), br.dropped.Load())
	b := make([]byte, 100)
	n, from, err := br.ReadFrom(b)
	require.NoError(t, err)
	assert.Equal(t, "0", string(b[:n]))
	assert.Equal(t, address(0).String(), from.String())

	other, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	n, err = br.WriteTo([]byte("out"), other.LocalAddr())
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	n, at, err := other.ReadFromUDPAddrPort(b)
	require.NoError(t, err)
	assert.Equal(t, "out", string(b[:n]))
	assert.Equal(t, p.addr(), at)

	require.NoError(t, br.Close())
	require.NoError(t, br.Close())
	for err == nil { // what is there may be read still
		_, _, err = br.ReadFrom(b)
	}
	assert.ErrorIs(t, err, net.ErrClosed)
}
