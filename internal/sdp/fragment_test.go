package sdp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const udpCandidate = "candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host"

// goodFragment is a fragment as a browser sends it.
const goodFragment = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n" +
	"a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n"

// parsed is a list of one candidate.
func parsed(line string) []Candidate {
	c, err := ParseCandidate(strings.TrimPrefix(line, "candidate:"))
	if err != nil {
		panic(err)
	}
	return []Candidate{c}
}

func TestParseFragment(t *testing.T) {
	const m = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
	for _, row := range []struct {
		name string
		text string
		err  string // in the error; empty: none
		want Fragment
	}{
		{"the example of RFC 9725 is read",
			"a=group:BUNDLE 0 1\r\n" + m + "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n" +
				"a=" + udpCandidate + " generation 0 ufrag EsAw network-id 1\r\na=end-of-candidates\r\n", "",
			Fragment{Credentials{"EsAw", "P2uYro0UCOQ4zxjKXaWCBui1"}, []FragmentSection{{"audio 9 UDP/TLS/RTP/SAVPF 111", "0",
				parsed(udpCandidate + " generation 0 ufrag EsAw network-id 1"), true}}}},
		{"credentials may stand above the sections",
			"a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n" + m, "",
			Fragment{Credentials{"EsAw", "P2uYro0UCOQ4zxjKXaWCBui1"}, []FragmentSection{{Line: "audio 9 UDP/TLS/RTP/SAVPF 111", MID: "0"}}}},
		{"lines may end in LF alone, and the last in nothing",
			strings.ReplaceAll(m, "\r\n", "\n") + "a=" + udpCandidate, "",
			Fragment{Sections: []FragmentSection{{"audio 9 UDP/TLS/RTP/SAVPF 111", "0", parsed(udpCandidate), false}}}},
		{"unknown lines and attributes are passed over, and so is an empty one",
			"v=0\r\na=ice-options:trickle ice2\r\na=x:y\r\n" + m + "a=\r\nc=IN IP4 0.0.0.0\r\n\r\na=" + udpCandidate + "\r\n", "",
			Fragment{Sections: []FragmentSection{{"audio 9 UDP/TLS/RTP/SAVPF 111", "0", parsed(udpCandidate), false}}}},
		{"an end above the sections ends them all",
			"a=end-of-candidates\r\n" + m, "",
			Fragment{Sections: []FragmentSection{{"audio 9 UDP/TLS/RTP/SAVPF 111", "0", nil, true}}}},
		{"the same credentials twice are no contradiction",
			"a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n" + m + "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n", "",
			Fragment{Credentials{"EsAw", "P2uYro0UCOQ4zxjKXaWCBui1"}, []FragmentSection{{Line: "audio 9 UDP/TLS/RTP/SAVPF 111", MID: "0"}}}},

		{"nothing at all is malformed", "", "neither", Fragment{}},
		{"empty lines are nothing", "\r\n\r\n", "neither", Fragment{}},
		{"prose is malformed, and the line is named", m + "hello\r\n", "line 3: not of the form", Fragment{}},
		{"a bare candidate is malformed", udpCandidate, "not of the form", Fragment{}},
		{"a carriage return inside a line is malformed", m + "a=x:\ra=y\r\n", "control", Fragment{}},
		{"a zero byte is malformed", m + "a=x:\x00\r\n", "control", Fragment{}},
		{"an m= line with too little is malformed", "m=audio 9\r\na=mid:0\r\n", "m= line has", Fragment{}},
		{"a section without a mid is malformed", "m=audio 9 RTP/AVP 0\r\na=" + udpCandidate + "\r\n", "lacks its a=mid", Fragment{}},
		{"a mid outside a section is malformed", "a=mid:0\r\n", "a=mid", Fragment{}},
		{"an empty mid is malformed", "m=audio 9 RTP/AVP 0\r\na=mid:\r\n", "a=mid", Fragment{}},
		{"two mids in one section are malformed", m + "a=mid:1\r\n", "contradicts", Fragment{}},
		{"a candidate outside a section is malformed", "a=" + udpCandidate + "\r\n", "below an m= line", Fragment{}},
		{"two sets of credentials are malformed", m + "a=ice-ufrag:EsAw\r\na=ice-ufrag:other\r\n", "contradicts", Fragment{}},
		{"an empty credential is malformed", m + "a=ice-ufrag:\r\n", "empty", Fragment{}},
		{"a ufrag without a password is malformed", m + "a=ice-ufrag:EsAw\r\n", "both", Fragment{}},
		{"a password without a ufrag is malformed", m + "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n", "both", Fragment{}},
		{"a short password is malformed", m + "a=ice-ufrag:EsAw\r\na=ice-pwd:short\r\n", "valid", Fragment{}},
		{"a short ufrag is malformed", m + "a=ice-ufrag:abc\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n", "valid", Fragment{}},
		{"a candidate that stops short is malformed", m + "a=candidate:1 1 udp 1 192.0.2.1\r\n", "a candidate has", Fragment{}},
		{"a candidate with half a pair is malformed", m + "a=" + udpCandidate + " raddr\r\n", "a candidate has", Fragment{}},
		{"a candidate with two spaces in a row is malformed", m + "a=candidate:1 1 udp 1 192.0.2.1 1 typ host  x\r\n", "one space", Fragment{}},
		{"a foundation of other characters is malformed", m + "a=candidate:- 1 udp 1 192.0.2.1 1 typ host\r\n", "foundation", Fragment{}},
		{"a foundation that is too long is malformed", m + "a=candidate:" + strings.Repeat("1", 33) + " 1 udp 1 192.0.2.1 1 typ host\r\n", "foundation", Fragment{}},
		{"component zero is malformed", m + "a=candidate:1 0 udp 1 192.0.2.1 1 typ host\r\n", "component", Fragment{}},
		{"component 257 is malformed", m + "a=candidate:1 257 udp 1 192.0.2.1 1 typ host\r\n", "component", Fragment{}},
		{"a priority beyond 32 bits is malformed", m + "a=candidate:1 1 udp 4294967296 192.0.2.1 1 typ host\r\n", "priority", Fragment{}},
		{"a port beyond 16 bits is malformed", m + "a=candidate:1 1 udp 1 192.0.2.1 65536 typ host\r\n", "port", Fragment{}},
		{"a candidate without the word typ is malformed", m + "a=candidate:1 1 udp 1 192.0.2.1 1 type host\r\n", "typ", Fragment{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := ParseFragment(row.text)
			if row.err != "" {
				require.ErrorContains(t, err, row.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, row.want, got)
		})
	}
}

func TestFragmentUsable(t *testing.T) {
	const m = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
	for _, row := range []struct{ name, text, want string }{
		{"a candidate is kept", m + "a=" + udpCandidate + "\r\n", m + "a=" + udpCandidate + "\r\n"},
		{"the end is kept", m + "a=end-of-candidates\r\n", m + "a=end-of-candidates\r\n"},
		{"what is of no interest is left out", "a=x\r\n" + m + "a=y:z\r\na=" + udpCandidate + "\r\n", m + "a=" + udpCandidate + "\r\n"},
		{"a fragment with credentials only brings nothing", "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n", ""},
		{"a fragment with a name that would have to be resolved brings nothing", m + "a=candidate:1 1 udp 1 a.local 1 typ host\r\n", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			f, err := ParseFragment(row.text)
			require.NoError(t, err)
			assert.Equal(t, row.want, f.Usable())
		})
	}
}

// FuzzFragment holds that what is handed on is a fragment itself: it reads the
// same again, says nothing that the client's did not, and has no candidate that
// should have been discarded.
func FuzzFragment(f *testing.F) {
	for _, seed := range []string{"", goodFragment, strings.ReplaceAll(goodFragment, "\r\n", "\n"),
		goodFragment + "a=end-of-candidates\r\n", "a=end-of-candidates\nm=audio 9 X 0\na=mid:0",
		"m=audio 9 X 0\r\na=mid:a\r\na=" + udpCandidate + "\r\nm=video 9 X 0\r\na=mid:b\r\na=candidate:1 1 tcp 1 ::1 9 typ host tcptype active\r\n",
		"a=candidate:1", "m=\r\n", "a=\r\n", "a=mid:\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := ParseFragment(text)
		if err != nil {
			require.Equal(t, Fragment{}, parsed)
			require.Empty(t, parsed.Usable())
			return
		}
		usable := parsed.Usable()
		if usable == "" {
			return
		}
		again, err := ParseFragment(usable)
		require.NoError(t, err, "%q", usable)
		require.Equal(t, usable, again.Usable())
		require.Equal(t, parsed.ICE, again.ICE)
		require.Len(t, again.Sections, len(parsed.Sections))
		for i, s := range again.Sections {
			require.Equal(t, parsed.Sections[i].MID, s.MID)
			for _, c := range s.Candidates {
				require.Contains(t, parsed.Sections[i].Candidates, c)
				_, ok := c.Address()
				require.True(t, ok)
			}
		}
		for line := range strings.Lines(usable) {
			require.True(t, strings.HasSuffix(line, "\r\n"))
			require.Contains(t, text, strings.TrimSuffix(line, "\r\n"))
		}
	})
}
