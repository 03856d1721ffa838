package srtp

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	pion "github.com/pion/srtp/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func pionContext(t testing.TB, p Profile, key, salt []byte) *pion.Context {
	t.Helper()
	ctx, err := pion.CreateContext(key, salt, pion.ProtectionProfile(p),
		pion.SRTPReplayProtection(64), pion.SRTCPReplayProtection(64))
	require.NoError(t, err)
	return ctx
}

// packet builds an RTP packet with a CSRC and a header extension, as ears get.
func testPacket(t testing.TB, seq uint16, ssrc uint32, payload []byte) (header, whole []byte) {
	t.Helper()
	h := rtp.Header{Version: 2, Marker: seq%7 == 0, PayloadType: 111, SequenceNumber: seq,
		Timestamp: uint32(seq) * 960, SSRC: ssrc, CSRC: []uint32{7}}
	require.NoError(t, h.SetExtension(1, []byte{0x85}))
	header, err := h.Marshal()
	require.NoError(t, err)
	return header, append(bytes.Clone(header), payload...)
}

func TestSealMatchesRFC7714(t *testing.T) {
	plain := unhex(t, `8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
		69736120 696e2070 61727465 73207472 6573`)
	plainRTCP := unhex(t, `81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
		deadbeef deadbeef deadbeef deadbeef deadbeef`)
	for _, row := range []struct {
		profile           Profile
		key               string
		sealed, sealedRTP string
	}{
		{GCM128, `000102030405060708090a0b0c0d0e0f`,
			`81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
			c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4`,
			`8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
			0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce`},
		{GCM256, `000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f`,
			`81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50
			a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4`,
			`8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238
			9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13`},
	} {
		t.Run(row.profile.String(), func(t *testing.T) {
			tr, err := newTransform(row.profile, unhex(t, row.key), nil, unhex(t, `517569642070726f2071756f`))
			require.NoError(t, err)
			assert.Equal(t, unhex(t, row.sealedRTP), tr.sealRTP(nil, plain[:12], plain[12:], 0, 0x5501a0b2, 0xf17b))
			assert.Equal(t, unhex(t, row.sealed), tr.sealRTCP(nil, plainRTCP, 0x4d617273, 0x5d4))
			got, err := tr.openRTP(unhex(t, row.sealedRTP), 12, 0x5501a0b2, 0xf17b)
			require.NoError(t, err)
			assert.Equal(t, plain, got)
			got, err = tr.openRTCP(unhex(t, row.sealed), 0x4d617273, 0x5d4)
			require.NoError(t, err)
			assert.Equal(t, plainRTCP, got)
		})
	}
}

func TestKeyDerivationMatchesRFC3711(t *testing.T) {
	key, salt := unhex(t, `E1F97A0D3E018BE0D64FA32C06DE4139`), unhex(t, `0EC675AD498AFEEBB6960B3AABE6`)
	for label, want := range map[byte]string{
		labelRTPKey:  `C61E7A93744F39EE10734AFE3FF7A087`,
		labelRTPSalt: `30CBBC08863D8C85D49DB34A9AE1`,
		labelRTPAuth: `CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4`,
	} {
		d, err := newDerivation(CM128SHA1, key, salt)
		require.NoError(t, err)
		assert.Equal(t, unhex(t, want), d.key(label, len(want)/2), "label %d", label)
	}
}

func TestSealAndOpenMatchPion(t *testing.T) {
	for _, p := range DefaultProfiles() {
		t.Run(p.String(), func(t *testing.T) {
			key, salt := randomBytes(p.KeyLen()), randomBytes(p.SaltLen())
			sealer, err := NewSealer(p, key, salt)
			require.NoError(t, err)
			opener, err := NewOpener(p, key, salt)
			require.NoError(t, err)
			pionSeals, pionOpens := pionContext(t, p, key, salt), pionContext(t, p, key, salt)
			st, err := open(sealer, 0xfeedbeef)
			require.NoError(t, err)

			// The whole of two rollovers, with a lost packet here and there.
			for i := 30000; i < 30000+2*65536; i += 1 + i%3*100 {
				payload := randomBytes(i % 131)
				header, plain := testPacket(t, uint16(i), 0xfeedbeef, payload)
				arena := make([]byte, 3, 3+len(plain)+sealer.Overhead())
				ours, err := st.Seal(arena, header, payload)
				require.NoError(t, err)
				require.Equal(t, arena, ours[:3], "what stood in the arena stays")
				ours = ours[3:]
				theirs, err := pionSeals.EncryptRTP(nil, plain, nil)
				require.NoError(t, err)
				require.Equal(t, theirs, ours, "sequence %d", uint16(i))

				got, err := pionOpens.DecryptRTP(nil, ours, nil)
				require.NoError(t, err)
				require.Equal(t, plain, got)
				got, index, err := opener.OpenRTP(theirs)
				require.NoError(t, err)
				require.Equal(t, plain, got)
				require.EqualValues(t, i, index)
			}
			for i := range 100 {
				plain, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: uint32(i % 3),
					Reports: []rtcp.ReceptionReport{{SSRC: 0xfeedbeef, LastSequenceNumber: uint32(i)}}}})
				require.NoError(t, err)
				ours, err := sealer.SealRTCP(make([]byte, 0, 200), plain)
				require.NoError(t, err)
				got, err := pionOpens.DecryptRTCP(nil, ours, nil)
				require.NoError(t, err)
				require.Equal(t, plain, got)
				theirs, err := pionSeals.EncryptRTCP(nil, plain, nil)
				require.NoError(t, err)
				got, err = opener.OpenRTCP(theirs)
				require.NoError(t, err)
				require.Equal(t, plain, got)
			}
		})
	}
}

func TestSealRefusesAUsedIndex(t *testing.T) {
	sealer, err := NewSealer(GCM128, randomBytes(16), randomBytes(12))
	require.NoError(t, err)
	st, err := open(sealer, 9)
	require.NoError(t, err)
	seal := func(seq uint16) error {
		h, _ := testPacket(t, seq, 9, nil)
		_, err := st.Seal(make([]byte, 0, 300), h, []byte{byte(seq)})
		return err
	}
	assert.ErrorIs(t, seal(40000), ErrFirstSequence, "a stream that starts high")
	require.NoError(t, seal(100))
	require.NoError(t, seal(103))
	require.NoError(t, seal(101), "a late packet that was not sealed yet")
	assert.ErrorIs(t, seal(101), ErrIndexUsed, "the same late packet once more")
	assert.ErrorIs(t, seal(103), ErrIndexUsed, "the newest packet once more")
	assert.ErrorIs(t, seal(39), ErrIndexUsed, "a packet too old to know about")
	assert.ErrorIs(t, seal(65000), ErrIndexUsed, "a packet from before the stream began")
	_, err = open(sealer, 9)
	assert.ErrorIs(t, err, ErrIndexUsed, "a second stream with the same SSRC")
	h, _ := testPacket(t, 104, 10, nil)
	_, err = st.Seal(make([]byte, 0, 300), h, nil)
	assert.ErrorIs(t, err, ErrMalformed, "a packet of another SSRC")
	h, _ = testPacket(t, 104, 9, nil)
	_, err = st.Seal(make([]byte, 0, len(h)+15), h, nil)
	assert.ErrorIs(t, err, ErrShortBuffer)
	require.NoError(t, seal(104), "the index is still free after a refusal")
}

func TestResealTakesOnlyTheSamePacket(t *testing.T) {
	for _, p := range DefaultProfiles() {
		key, salt := randomBytes(p.KeyLen()), randomBytes(p.SaltLen())
		sealer, err := NewSealer(p, key, salt)
		require.NoError(t, err)
		st, err := open(sealer, 9)
		require.NoError(t, err)
		sealed := map[uint16][]byte{}
		for seq := uint16(1); seq <= 100; seq++ {
			h, _ := testPacket(t, seq, 9, nil)
			sealed[seq], err = st.Seal(make([]byte, 0, 300), h, []byte{byte(seq), 1, 2})
			require.NoError(t, err)
		}
		again := func(seq uint16, payload ...byte) ([]byte, error) {
			h, _ := testPacket(t, seq, 9, nil)
			return st.Reseal(make([]byte, 0, 300), h, payload)
		}
		got, err := again(80, 80, 1, 2)
		require.NoError(t, err)
		assert.Equal(t, sealed[80], got)
		got, err = again(80, 80, 1, 3)
		assert.ErrorIs(t, err, ErrIndexUsed, "another payload")
		assert.Empty(t, got)
		_, err = again(81, 80, 1, 2)
		assert.ErrorIs(t, err, ErrIndexUsed, "another packet's payload")
		_, err = again(36, 36, 1, 2)
		assert.ErrorIs(t, err, ErrIndexUnknown, "too long ago")
		_, err = again(101, 101, 1, 2)
		assert.ErrorIs(t, err, ErrIndexUnknown, "never sealed")

		var forgetful Stream
		require.NoError(t, sealer.Stream(&forgetful, 10))
		h, _ := testPacket(t, 1, 10, nil)
		_, err = forgetful.Seal(make([]byte, 0, 300), h, nil)
		require.NoError(t, err)
		_, err = forgetful.Reseal(make([]byte, 0, 300), h, nil)
		assert.ErrorIs(t, err, ErrIndexUnknown, "sealed, and not to be remembered")
	}
}

// Padding is part of what is encrypted, and pion takes it off again. A packet that is
// sealed again has what it had.
func TestPaddingIsSealedAndSealedAgain(t *testing.T) {
	for _, p := range DefaultProfiles() {
		key, salt := randomBytes(p.KeyLen()), randomBytes(p.SaltLen())
		sealer, pions := must(NewSealer(p, key, salt)), pionContext(t, p, key, salt)
		st := must(open(sealer, 9))
		for i, padding := range []int{1, 0, 2, 7, 100, MaxPadding, 0} {
			payload := randomBytes(i * 13)
			h, plain := testPacket(t, uint16(i+1), 9, payload)
			room := len(h) + len(payload) + padding + sealer.Overhead()
			short, err := st.SealPadded(make([]byte, 0, room-1), h, payload, padding)
			require.ErrorIs(t, err, ErrShortBuffer)
			require.Empty(t, short)
			sealed, err := st.SealPadded(make([]byte, 0, room), h, payload, padding)
			require.NoError(t, err)
			require.Len(t, sealed, room)
			require.Equal(t, padding, st.Padding(uint16(i+1)))
			again, err := st.Reseal(make([]byte, 0, room), h, payload)
			require.NoError(t, err)
			require.Equal(t, sealed, again)

			opened, err := pions.DecryptRTP(nil, sealed, nil)
			require.NoError(t, err)
			var got rtp.Packet
			require.NoError(t, got.Unmarshal(opened))
			require.Equal(t, payload, append([]byte{}, got.Payload...))
			require.Equal(t, padding > 0, got.Padding)
			require.Equal(t, plain[1:len(h)], opened[1:len(h)], "the rest of the header is as it was")
		}
	}
}

// An ear joins when its slot's own sequence is at 65,530; the ear's sequence
// starts below 2^15, so the rollover of the slot is none for the ear.
func TestOpenerJoinsAtARolloverWithTenPacketsLost(t *testing.T) {
	for _, p := range DefaultProfiles() {
		key, salt := randomBytes(p.KeyLen()), randomBytes(p.SaltLen())
		sealer, err := NewSealer(p, key, salt)
		require.NoError(t, err)
		st, err := open(sealer, 9)
		require.NoError(t, err)
		pion, opener := pionContext(t, p, key, salt), must(NewOpener(p, key, salt))
		const slot, start = uint16(65530), uint16(1<<15 - 1)
		for i := range uint16(60) {
			seq := start + (slot + i - slot)
			h, plain := testPacket(t, seq, 9, []byte("speech"))
			sealed, err := st.Seal(make([]byte, 0, 300), h, []byte("speech"))
			require.NoError(t, err)
			if i < 10 {
				continue
			}
			got, err := pion.DecryptRTP(nil, sealed, nil)
			require.NoError(t, err)
			require.Equal(t, plain, got)
			got, _, err = opener.OpenRTP(sealed)
			require.NoError(t, err)
			require.Equal(t, plain, got)
		}
	}
}

// The same while the ear's own sequence rolls over, with ten packets lost there.
func TestOpenerFollowsARolloverWithTenPacketsLost(t *testing.T) {
	for _, p := range DefaultProfiles() {
		key, salt := randomBytes(p.KeyLen()), randomBytes(p.SaltLen())
		sealer := must(NewSealer(p, key, salt))
		st := must(open(sealer, 9))
		pion, opener := pionContext(t, p, key, salt), must(NewOpener(p, key, salt))
		for i := 32000; i < 65600; i++ {
			h, plain := testPacket(t, uint16(i), 9, []byte("speech"))
			sealed, err := st.Seal(make([]byte, 0, 300), h, []byte("speech"))
			require.NoError(t, err)
			if i >= 65530 && i < 65540 {
				continue
			}
			got, err := pion.DecryptRTP(nil, sealed, nil)
			require.NoError(t, err, "%d", i)
			require.Equal(t, plain, got)
			_, index, err := opener.OpenRTP(sealed)
			require.NoError(t, err)
			require.EqualValues(t, i, index)
		}
	}
}

func TestOpenRefusesReplayedAndForgedPackets(t *testing.T) {
	for _, p := range DefaultProfiles() {
		t.Run(p.String(), func(t *testing.T) {
			key, salt := randomBytes(p.KeyLen()), randomBytes(p.SaltLen())
			sealer, opener := must(NewSealer(p, key, salt)), must(NewOpener(p, key, salt))
			st := must(open(sealer, 9))
			h, _ := testPacket(t, 5, 9, nil)
			sealed := must(st.Seal(make([]byte, 0, 300), h, []byte("speech")))
			for i := range sealed {
				forged := bytes.Clone(sealed)
				forged[i] ^= 1
				_, _, err := opener.OpenRTP(forged)
				require.Error(t, err, "byte %d", i)
			}
			_, _, err := opener.OpenRTP(bytes.Clone(sealed))
			require.NoError(t, err)
			_, _, err = opener.OpenRTP(bytes.Clone(sealed))
			assert.ErrorIs(t, err, ErrReplayed)
			assert.Len(t, opener.rtpSeen, 1, "forgeries take no memory")

			report := must(rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}}))
			sealed = must(sealer.SealRTCP(make([]byte, 0, 300), report))
			for i := range sealed {
				forged := bytes.Clone(sealed)
				forged[i] ^= 1
				_, err := opener.OpenRTCP(forged)
				require.Error(t, err, "byte %d", i)
			}
			_, err = opener.OpenRTCP(bytes.Clone(sealed))
			require.NoError(t, err)
			_, err = opener.OpenRTCP(bytes.Clone(sealed))
			assert.ErrorIs(t, err, ErrReplayed)
			assert.Len(t, opener.rtcpSeen, 1)
		})
	}
}

func TestSealAllocatesNothing(t *testing.T) {
	for _, p := range DefaultProfiles() {
		key, salt := randomBytes(p.KeyLen()), randomBytes(p.SaltLen())
		sealer, opener := must(NewSealer(p, key, salt)), must(NewOpener(p, key, salt))
		st := must(open(sealer, 9))
		header, _ := testPacket(t, 1, 9, nil)
		report := must(rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}}))
		payload, arena := randomBytes(60), make([]byte, 0, 300)
		seq := uint16(0)
		assert.Zero(t, testing.AllocsPerRun(1000, func() {
			seq++
			binary.BigEndian.PutUint16(header[2:], seq)
			sealed, err := st.Seal(arena, header, payload)
			if err == nil {
				_, err = st.Reseal(arena, header, payload)
			}
			if err == nil {
				_, _, err = opener.OpenRTP(sealed)
			}
			if err == nil {
				sealed, err = sealer.SealRTCP(arena, report)
			}
			if err == nil {
				_, err = opener.OpenRTCP(sealed)
			}
			if err != nil {
				panic(err)
			}
		}), p.String())
	}
}

func TestOpenerBoundsSources(t *testing.T) {
	key, salt := randomBytes(16), randomBytes(12)
	sealer, opener := must(NewSealer(GCM128, key, salt)), must(NewOpener(GCM128, key, salt))
	for i := range uint32(maxSources + 1) {
		h, _ := testPacket(t, 5, i, nil)
		_, _, err := opener.OpenRTP(must(must(open(sealer, i)).Seal(make([]byte, 0, 300), h, nil)))
		report := must(rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: i}}))
		_, errRTCP := opener.OpenRTCP(must(sealer.SealRTCP(make([]byte, 0, 300), report)))
		if i < maxSources {
			require.NoError(t, err)
			require.NoError(t, errRTCP)
		} else {
			assert.ErrorIs(t, err, ErrSources)
			assert.ErrorIs(t, errRTCP, ErrSources)
		}
	}
}

// FuzzHeaderLen holds that the header of an RTP packet ends where Pion says.
func FuzzHeaderLen(f *testing.F) {
	h := rtp.Header{Version: 2, PayloadType: 111, SSRC: 1, CSRC: []uint32{1, 2}}
	plain, err := h.Marshal()
	require.NoError(f, err)
	f.Add(plain)
	require.NoError(f, h.SetExtension(1, []byte{0x30}))
	levelled, err := h.Marshal()
	require.NoError(f, err)
	f.Add(levelled)
	f.Add([]byte{0x9f, 111, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := HeaderLen(b)
		if ok {
			require.GreaterOrEqual(t, n, rtpHeader)
			require.LessOrEqual(t, n, len(b))
		}
		var theirs rtp.Header
		if m, err := theirs.Unmarshal(b); err == nil && theirs.Version == 2 {
			require.True(t, ok)
			if theirs.ExtensionProfile == 0xbede || theirs.ExtensionProfile == 0x1000 {
				return // Pion may stop within the extensions (RFC 8285, section 4.2)
			}
			require.Equal(t, m, n)
		}
	})
}

func FuzzOpening(f *testing.F) {
	key, salt := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 14)
	for i, p := range DefaultProfiles() {
		sealer := must(NewSealer(p, key[:p.KeyLen()], salt[:p.SaltLen()]))
		h, _ := testPacket(f, 5, 9, nil)
		f.Add(byte(i), must(must(open(sealer, 9)).Seal(make([]byte, 0, 300), h, []byte("speech"))))
		report := must(rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1}}))
		f.Add(byte(i), must(sealer.SealRTCP(make([]byte, 0, 300), report)))
	}
	f.Add(byte(0), []byte{})
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		p := DefaultProfiles()[int(which)%3]
		o := must(NewOpener(p, key[:p.KeyLen()], salt[:p.SaltLen()]))
		size := len(b)
		if plain, _, err := o.OpenRTP(bytes.Clone(b)); err == nil {
			require.Len(t, plain, size-p.tagLen())
		} else {
			require.Empty(t, o.rtpSeen)
		}
		if plain, err := o.OpenRTCP(bytes.Clone(b)); err == nil {
			require.Len(t, plain, size-p.tagLen()-rtcpIndex)
		} else {
			require.Empty(t, o.rtcpSeen)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// open makes a stream that can seal packets again.
func open(s *Sealer, ssrc uint32) (*Stream, error) {
	st := new(Stream)
	if err := s.Stream(st, ssrc); err != nil {
		return nil, err
	}
	st.Remember()
	return st, nil
}
