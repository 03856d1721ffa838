package sdp

import (
	"net/netip"
	"strings"
	"testing"

	pion "github.com/pion/sdp/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const fingerprint = "sha-256 " + "AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89"

// answerOf is an answer with two sections, changed by replacing one text.
func answerOf(old, replacement string) string {
	section := func(mid, ssrc string) string {
		return "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:" + mid + "\r\na=sendonly\r\na=rtcp-mux\r\n" +
			"a=ice-ufrag:serverufrag\r\na=ice-pwd:serverpasswordserverpassword\r\na=setup:passive\r\n" +
			"a=fingerprint:" + fingerprint + "\r\na=rtpmap:111 opus/48000/2\r\na=ssrc:" + ssrc + " cname:x\r\na=ssrc:" + ssrc + " msid:a b\r\n" +
			"a=candidate:1 1 udp 2130706431 127.0.0.1 7081 typ host\r\n" +
			"a=candidate:2 1 udp 2130706175 192.0.2.1 7081 typ host\r\n"
	}
	text := "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=ice-lite\r\n" + section("0", "1111") + section("1", "2222")
	return strings.ReplaceAll(text, old, replacement)
}

func TestReadAnswer(t *testing.T) {
	a, err := ReadAnswer(answerOf("", ""), 2)
	require.NoError(t, err)
	assert.Equal(t, "serverufrag", a.ICE.Ufrag)
	assert.EqualValues(t, fingerprint, a.Fingerprint)
	assert.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:7081"), netip.MustParseAddrPort("192.0.2.1:7081")}, a.Addresses)
	assert.Equal(t, 0, a.Section(1111))
	assert.Equal(t, 1, a.Section(2222))
	assert.Equal(t, -1, a.Section(3333), "no section is left for it")
}

func TestRemoteSectionOfAnUnnamedSource(t *testing.T) {
	a, err := ReadAnswer(answerOf("a=ssrc:2222", "a=x-ssrc:2222"), 2)
	require.NoError(t, err)
	assert.Equal(t, 1, a.Section(3333))
	assert.Equal(t, 1, a.Section(3333), "and keeps it")
	assert.Equal(t, -1, a.Section(4444))
}

func TestReadAnswerErrors(t *testing.T) {
	for _, c := range []struct{ name, old, replacement, says string }{
		{"no SDP", "v=0", "hello", "not SDP"},
		{"a section too few", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:1", "a=mid:1", "1 sections, and 2 were offered"},
		{"a server that wants to be the DTLS client", "a=setup:passive", "a=setup:active", "a=setup:active"},
		{"no fingerprint", "a=fingerprint", "a=x-fingerprint", "no a=fingerprint"},
		{"an old hash", "sha-256", "md5", "fingerprint algorithm"},
		{"a candidate that is a name", "192.0.2.1", "x.local", ""},
		{"all sections rejected", "m=audio 9", "m=audio 0", "no a=fingerprint"},
		{"a short password", "serverpasswordserverpassword", "short", "ice-pwd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadAnswer(answerOf(c.old, c.replacement), 2)
			if c.says == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestReceiverOfferHasASectionForEachVoice(t *testing.T) {
	certificate := Fingerprint(fingerprint)
	local := NewCredentials()
	var d pion.SessionDescription
	require.NoError(t, d.UnmarshalString(Receiver{ICE: local, Fingerprint: certificate}.Offer(3)))
	require.Len(t, d.MediaDescriptions, 3)
	group, _ := d.Attribute("group")
	assert.Equal(t, "BUNDLE 0 1 2", group)
	for _, m := range d.MediaDescriptions {
		ufrag, _ := m.Attribute("ice-ufrag")
		assert.Equal(t, local.Ufrag, ufrag)
		_, receives := m.Attribute("recvonly")
		assert.True(t, receives)
		setup, _ := m.Attribute("setup")
		assert.Equal(t, "active", setup)
	}
}

// An answer is refused, or has all that a client needs.
func FuzzReadAnswer(f *testing.F) {
	f.Add(answerOf("", ""), 2)
	f.Add(answerOf("192.0.2.1", "2001:db8::1"), 2)
	f.Add(answerOf("a=ssrc", "a=x"), 2)
	f.Add("v=0\r\n", 1)
	f.Fuzz(func(t *testing.T, text string, sections int) {
		a, err := ReadAnswer(text, sections)
		if err != nil {
			return
		}
		assert.NoError(t, a.ICE.Validate())
		assert.NotEmpty(t, a.Fingerprint)
		assert.LessOrEqual(t, len(a.Addresses), MaxAddresses)
		assert.Len(t, a.SSRCs, sections)
		for ssrc := range uint32(10) {
			assert.Less(t, a.Section(ssrc), sections)
		}
	})
}

func TestReadAnswerWithoutCandidates(t *testing.T) {
	for name, text := range map[string]string{
		"none at all": answerOf("a=candidate", "a=x-candidate"),
		"of TCP":      answerOf(" udp ", " tcp "),
	} {
		a, err := ReadAnswer(text, 2)
		require.NoError(t, err, name)
		assert.Empty(t, a.Addresses, name)
	}
}

func TestReadAnswerTakesTheAnswersPayloadTypeToo(t *testing.T) {
	a, err := ReadAnswer(strings.ReplaceAll(answerOf("SAVPF 111", "SAVPF 96"), "rtpmap:111", "rtpmap:96"), 2)
	require.NoError(t, err)
	assert.True(t, a.Opus.Has(96))
	assert.True(t, a.Opus.Has(111))
	assert.False(t, a.Opus.Has(63))
}

func TestRemoteSectionOfASingleSection(t *testing.T) {
	a := &Remote{SSRCs: []uint32{0}}
	assert.Equal(t, 0, a.Section(5))
	assert.Equal(t, 0, a.Section(6), "a server may begin a new source for a new talker")
	assert.Equal(t, -1, (&Remote{SSRCs: []uint32{rejectedSSRC}}).Section(5))
}

// offerOf is a server's own offer: video, audio with RED before Opus, and more
// audio.
func offerOf(old, replacement string) string {
	transport := "a=ice-ufrag:serverufrag\r\na=ice-pwd:serverpasswordserverpassword\r\na=setup:actpass\r\na=fingerprint:" + fingerprint + "\r\n"
	text := "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v a b\r\n" +
		"m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=sendonly\r\n" + transport + "a=rtpmap:96 VP8/90000\r\n" +
		"m=audio 9 UDP/TLS/RTP/SAVPF 63 98\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=sendonly\r\n" + transport +
		"a=rtpmap:63 red/48000/2\r\na=fmtp:63 98/98\r\na=rtpmap:98 opus/48000/2\r\na=rtcp-fb:98 transport-cc\r\na=rtcp-fb:98 nack\r\na=ssrc:77 cname:x\r\n" +
		"a=candidate:1 1 udp 2130706431 127.0.0.1 7081 typ host\r\n" +
		"m=audio 9 UDP/TLS/RTP/SAVPF 98\r\nc=IN IP4 0.0.0.0\r\na=mid:b\r\na=sendonly\r\n" + transport + "a=rtpmap:98 opus/48000/2\r\n"
	return strings.ReplaceAll(text, old, replacement)
}

func TestReceiverAnswersAServersOffer(t *testing.T) {
	r, sections, err := ReadServerOffer(offerOf("", ""), 1)
	require.NoError(t, err)
	assert.Equal(t, []uint32{77}, r.SSRCs)
	assert.True(t, r.Opus.Has(98))
	assert.False(t, r.Opus.Has(63))
	assert.True(t, r.NACK)
	assert.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:7081")}, r.Addresses)

	var answer pion.SessionDescription
	require.NoError(t, answer.UnmarshalString(Receiver{ICE: NewCredentials(), Fingerprint: fingerprint, NACK: true}.Answer(sections)))
	require.Len(t, answer.MediaDescriptions, 3, "as many as were offered")
	group, _ := answer.Attribute("group")
	assert.Equal(t, "BUNDLE a", group)
	for i, want := range []struct {
		kind, mid string
		taken     bool
	}{{"video", "v", false}, {"audio", "a", true}, {"audio", "b", false}} {
		m := answer.MediaDescriptions[i]
		mid, _ := m.Attribute("mid")
		assert.Equal(t, want.kind, m.MediaName.Media)
		assert.Equal(t, want.mid, mid)
		assert.Equal(t, want.taken, m.MediaName.Port.Value != 0)
		if want.taken {
			assert.Equal(t, []string{"98"}, m.MediaName.Formats, "Opus as the offer numbers it, and no RED")
			setup, _ := m.Attribute("setup")
			assert.Equal(t, "active", setup)
		}
	}
}

func TestReadServerOfferErrors(t *testing.T) {
	for _, c := range []struct{ name, old, replacement, says string }{
		{"no SDP", "v=0", "hello", "not SDP"},
		{"no Opus", "opus", "G722", "none of its sections sends Opus"},
		{"nothing that is sent", "a=sendonly", "a=recvonly", "none of its sections sends Opus"},
		{"a server that wants to be the DTLS client", "a=setup:actpass", "a=setup:active", "offer actpass"},
		{"no fingerprint", "a=fingerprint", "a=x", "no a=fingerprint"},
		{"a short password", "serverpasswordserverpassword", "short", "ice-pwd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := ReadServerOffer(offerOf(c.old, c.replacement), 1)
			assert.ErrorContains(t, err, c.says)
		})
	}
}

// An offer is refused, or each of its m-lines has an answer.
func FuzzReadServerOffer(f *testing.F) {
	f.Add(offerOf("", ""), 1)
	f.Add(offerOf("a=mid:", "a=x:"), 3)
	f.Add("v=0\r\n", 1)
	f.Fuzz(func(t *testing.T, text string, sections int) {
		r, all, err := ReadServerOffer(text, sections)
		if err != nil {
			return
		}
		assert.NotEmpty(t, r.SSRCs)
		assert.LessOrEqual(t, len(r.SSRCs), sections)
		taken := 0
		for _, s := range all {
			if s.Accepted {
				taken++
			}
		}
		assert.Len(t, r.SSRCs, taken)
		answer := Receiver{ICE: NewCredentials(), Fingerprint: fingerprint}.Answer(all)
		assert.Equal(t, len(all), strings.Count(answer, "\r\nm="))
	})
}
