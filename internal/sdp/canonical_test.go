package sdp

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func resolveServer(name string) (netip.Addr, error) {
	if name == "media.example.net" {
		return netip.MustParseAddr("192.0.2.7"), nil
	}
	return netip.Addr{}, errors.New("no such host: " + name)
}

// Each spelling is legal, and means the same as the text that it replaces.
var spellings = []struct{ name, old, replacement string }{
	{"as it is", "", ""},
	{"Opus in capitals", "opus/48000/2", "OPUS/48000/2"},
	{"an older hash beside it", "a=fingerprint:", "a=fingerprint:sha-1 " + strings.Repeat("AB:", 19) + "AB\r\na=fingerprint:"},
	{"an older hash after it", fingerprint, fingerprint + "\r\na=fingerprint:sha-1 " + strings.Repeat("AB:", 19) + "AB"},
	{"a hash in capitals", "sha-256", "SHA-256"},
	{"lines that end with a line feed alone", "\r\n", "\n"},
	{"the name of a candidate", "192.0.2.1", "media.example.net"},
	{"a candidate of a name that nobody knows", "a=candidate:2", "a=candidate:3 1 udp 2130706431 x.local 7081 typ host\r\na=candidate:2"},
	{"the role for the session", "a=setup:passive\r\n", ""}, // and see below
}

func TestAnswersAreReadInAllSpellings(t *testing.T) {
	for _, c := range spellings {
		for _, cut := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				text := answerOf(c.old, c.replacement)
				if !strings.Contains(text, "a=setup") {
					text = strings.Replace(text, "a=ice-lite", "a=ice-lite\r\na=setup:passive", 1)
				}
				if cut { // the end of the last line
					text = strings.TrimRight(text, "\r\n")
				}
				canonical, err := Canonical(text, resolveServer)
				require.NoError(t, err)
				r, err := ReadAnswer(canonical, 2)
				require.NoError(t, err)
				assert.EqualValues(t, fingerprint, r.Fingerprint)
				assert.True(t, r.Opus.Has(111))
				assert.Len(t, r.Addresses, 2)
				assert.True(t, strings.HasSuffix(canonical, "\r\n"))
				assert.NotContains(t, canonical, "sha-1 ")
				assert.NotContains(t, canonical, "OPUS")
				again, err := Canonical(canonical, resolveServer)
				require.NoError(t, err)
				assert.Equal(t, canonical, again)
			})
		}
	}
}

func TestOffersAreReadInAllSpellings(t *testing.T) {
	offer := func(direction string) string {
		return "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=x-here\r\n" +
			"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=" + direction + "\r\na=rtcp-mux\r\n" +
			"a=ice-ufrag:clientufrag\r\na=ice-pwd:clientpasswordclientpassword\r\na=setup:actpass\r\n" +
			"a=fingerprint:" + fingerprint + "\r\na=rtpmap:111 opus/48000/2\r\na=candidate:2 1 udp 2130706175 192.0.2.1 7081 typ host\r\n"
	}
	for flow, direction := range map[Flow]string{ClientSends: "sendonly", ClientReceives: "recvonly"} {
		for _, c := range spellings {
			t.Run(direction+", "+c.name, func(t *testing.T) {
				text := offer(direction)
				if c.old == "a=setup:passive\r\n" {
					text = strings.Replace(text, "a=setup:actpass\r\n", "", 1)
					text = strings.Replace(text, "a=x-here", "a=setup:actpass", 1)
				}
				text = strings.ReplaceAll(text, c.old, c.replacement)
				for _, text := range []string{text, strings.TrimRight(text, "\r\n")} {
					o, err := ReadOffer(text, flow, 1)
					require.NoError(t, err)
					assert.EqualValues(t, fingerprint, o.Fingerprint)
					require.Len(t, o.Active(), 1)
					assert.Equal(t, 111, o.Active()[0].Opus)
				}
			})
		}
	}
}

func TestCanonicalNamesUnknownHosts(t *testing.T) {
	_, err := Canonical("v=0\r\na=candidate:3 1 udp 2130706431 x.local 7081 typ host", resolveServer)
	assert.ErrorContains(t, err, "x.local")
	text, err := Canonical("v=0\r\na=candidate:nonsense", resolveServer)
	require.NoError(t, err)
	assert.Equal(t, "v=0\r\na=candidate:nonsense\r\n", text)
}
