package sdp

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pion "github.com/pion/sdp/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// chromium is an offer as Chromium 156 made it; see testdata/README.md.
func chromium(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "chromium-"+name+".sdp"))
	require.NoError(t, err)
	return string(b)
}

var testTransport = Transport{
	ICE: Credentials{Ufrag: "ours", Pwd: "ours-ours-ours-ours-ours"}, Fingerprint: "sha-256 00:11",
	Candidates: []string{"1 1 udp 2130706431 127.0.0.1 7081 typ host"},
}

// answered writes the answer to an offer, with a made-up source for every
// active section.
func answered(o *Offer) string {
	var sources []Source
	if o.Flow == ClientReceives {
		for i := range o.Active() {
			sources = append(sources, Source{uint32(1000 + i), "cname", "stream", fmt.Sprint("track-", i)})
		}
	}
	return o.Answer(1, testTransport, sources)
}

// summary is what an answer makes of each section: media, port, mid, direction.
func summary(t testing.TB, answer string) []string {
	t.Helper()
	var desc pion.SessionDescription
	require.NoError(t, desc.UnmarshalString(answer))
	var list []string
	for _, m := range desc.MediaDescriptions {
		mid, _ := m.Attribute("mid")
		direction := ""
		for _, d := range []string{"sendonly", "recvonly", "sendrecv", "inactive"} {
			if _, ok := m.Attribute(d); ok {
				direction += d
			}
		}
		list = append(list, fmt.Sprintf("%s %d %s %s", m.MediaName.Media, m.MediaName.Port.Value, mid, direction))
	}
	return list
}

func TestReadOfferSelectsSectionsOfChromium(t *testing.T) {
	for _, row := range []struct {
		name, file string
		kind       Flow
		limit      int
		bundle     string
		want       []string
	}{
		{"three voices for an ear", "ear3", ClientReceives, 3, "0 1 2",
			[]string{"audio 9 0 sendonly", "audio 9 1 sendonly", "audio 9 2 sendonly"}},
		{"sections beyond the room's slots are kept without media", "ear3", ClientReceives, 2, "0 1 2",
			[]string{"audio 9 0 sendonly", "audio 9 1 sendonly", "audio 9 2 inactive"}},
		{"video and data after audio are rejected", "avd", ClientReceives, 3, "0",
			[]string{"audio 9 0 sendonly", "video 0 1 inactive", "application 0 2 inactive"}},
		{"video at the head of the bundle is rejected, and audio takes its place", "vda", ClientReceives, 3, "1 2",
			[]string{"video 0 0 inactive", "audio 9 1 sendonly", "audio 9 2 sendonly", "application 0 3 inactive"}},
		{"a mic", "mic", ClientSends, 1, "0", []string{"audio 9 0 recvonly"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			o, err := ReadOffer(chromium(t, row.file), row.kind, row.limit)
			require.NoError(t, err)
			answer := answered(o)
			assert.Equal(t, row.want, summary(t, answer))
			assert.Contains(t, answer, "\r\na=group:BUNDLE "+row.bundle+"\r\n")
			assert.Contains(t, answer, "\r\na=ice-lite\r\n")
			assert.Contains(t, answer, "\r\na=setup:passive\r\n")
			assert.NotContains(t, answer, "actpass")
			assert.Equal(t, 1, strings.Count(answer, "a=candidate:"), "the candidates stand once")
			assert.Contains(t, answer, " "+AudioLevelURI+"\r\n")
			assert.Contains(t, answer, "a=rtpmap:111 opus/48000/2")
			assert.NotContains(t, answer, "transport-wide", "nothing is answered that is not done")
		})
	}
}

func TestAnswerPutsCandidatesIntoTheTaggedSection(t *testing.T) {
	o, err := ReadOffer(chromium(t, "vda"), ClientReceives, 3)
	require.NoError(t, err)
	var desc pion.SessionDescription
	require.NoError(t, desc.UnmarshalString(answered(o)))
	for i, m := range desc.MediaDescriptions {
		_, has := m.Attribute("candidate")
		assert.Equal(t, i == 1, has, "section %d", i)
		_, ended := m.Attribute("end-of-candidates")
		assert.Equal(t, i == 1, ended, "section %d", i)
	}
}

func TestAnswerNamesTheSourceOfEachActiveSection(t *testing.T) {
	o, err := ReadOffer(chromium(t, "ear3"), ClientReceives, 2)
	require.NoError(t, err)
	answer := answered(o)
	for i := range 2 {
		assert.Contains(t, answer, fmt.Sprintf("a=ssrc:%d cname:cname\r\n", 1000+i))
		assert.Contains(t, answer, fmt.Sprintf("a=msid:stream track-%d\r\n", i))
	}
	assert.Equal(t, 2, strings.Count(answer, "a=msid:"))
}

// testOffer writes an offer of the given sections, each "media:extra lines".
func testOffer(session string, sections ...string) string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n")
	for line := range strings.SplitSeq(session, "|") {
		if line != "" {
			b.WriteString(line + "\r\n")
		}
	}
	for _, s := range sections {
		for line := range strings.SplitSeq(s, "|") {
			b.WriteString(line + "\r\n")
		}
	}
	return b.String()
}

const (
	testPrint = "a=fingerprint:sha-256 3F:9D:3A:D9:AD:DA:22:8B:24:79:3C:46:60:14:2A:6E:11:FC:1B:22:9E:B3:34:21:8B:2B:50:8C:A8:4B:CB:9A"
	testICE   = "a=ice-ufrag:abcd|a=ice-pwd:abcdefghijklmnopqrstuv|a=setup:actpass|" + testPrint
	testAudio = "m=audio 9 UDP/TLS/RTP/SAVPF 96|a=rtpmap:96 opus/48000/2|a=rtcp-mux|" + testICE
)

func TestReadOfferTakesUnusualOffers(t *testing.T) {
	for _, row := range []struct {
		name   string
		offer  string
		kind   Flow
		want   []string
		bundle string
	}{
		{"a single section needs neither bundle nor mid",
			testOffer("", testAudio), ClientReceives, []string{"audio 9  sendonly"}, ""},
		{"the transport may stand at the session's level",
			testOffer(testICE, "m=audio 9 UDP/TLS/RTP/SAVPF 96|a=rtpmap:96 OPUS/48000/2|a=rtcp-mux"), ClientSends, []string{"audio 9  recvonly"}, ""},
		{"so may the direction",
			testOffer("a=recvonly", testAudio), ClientReceives, []string{"audio 9  sendonly"}, ""},
		{"without a bundle there is one transport, so one section",
			testOffer("", testAudio+"|a=mid:x", testAudio+"|a=mid:y"), ClientReceives, []string{"audio 9 x sendonly", "audio 0 y inactive"}, ""},
		{"a section outside the bundle is rejected",
			testOffer("a=group:BUNDLE b c", testAudio+"|a=mid:a", testAudio+"|a=mid:b", testAudio+"|a=mid:c"), ClientReceives,
			[]string{"audio 0 a inactive", "audio 9 b sendonly", "audio 9 c sendonly"}, "b c"},
		{"of two bundles, the one with something to hear counts",
			testOffer("a=group:BUNDLE v|a=group:BUNDLE a", "m=video 9 UDP/TLS/RTP/SAVPF 97|a=mid:v|a=rtcp-mux|"+testICE, testAudio+"|a=mid:a"), ClientReceives,
			[]string{"video 0 v inactive", "audio 9 a sendonly"}, "a"},
		{"bundle-only sections have port 0 and leave the transport to the first",
			testOffer("a=group:BUNDLE v a", "m=video 9 UDP/TLS/RTP/SAVPF 97|a=mid:v|a=rtcp-mux|"+testICE,
				"m=audio 0 UDP/TLS/RTP/SAVPF 96|a=rtpmap:96 opus/48000/2|a=rtcp-mux|a=mid:a|a=bundle-only"), ClientReceives,
			[]string{"video 0 v inactive", "audio 9 a sendonly"}, "a"},
		{"port 0 without bundle-only is off",
			testOffer("a=group:BUNDLE a b", strings.Replace(testAudio, "audio 9", "audio 0", 1)+"|a=mid:a", testAudio+"|a=mid:b"), ClientReceives,
			[]string{"audio 0 a inactive", "audio 9 b sendonly"}, "b"},
		{"a section in the wrong direction is kept without media",
			testOffer("a=group:BUNDLE a b", testAudio+"|a=mid:a|a=sendonly", testAudio+"|a=mid:b|a=recvonly"), ClientReceives,
			[]string{"audio 9 a inactive", "audio 9 b sendonly"}, "a b"},
		{"audio without Opus is rejected",
			testOffer("a=group:BUNDLE a b", "m=audio 9 UDP/TLS/RTP/SAVPF 0|a=mid:a|a=rtcp-mux|"+testICE, testAudio+"|a=mid:b"), ClientReceives,
			[]string{"audio 0 a inactive", "audio 9 b sendonly"}, "b"},
		{"the bundle's order need not be the sections'",
			testOffer("a=group:BUNDLE b a", testAudio+"|a=mid:a", testAudio+"|a=mid:b"), ClientReceives,
			[]string{"audio 9 a sendonly", "audio 9 b sendonly"}, "b a"},
		{"a mic has one section, others are kept without media",
			testOffer("a=group:BUNDLE a b", testAudio+"|a=mid:a", testAudio+"|a=mid:b"), ClientSends,
			[]string{"audio 9 a recvonly", "audio 9 b inactive"}, "a b"},
		{"an unknown kind of media is rejected in its own words",
			testOffer("a=group:BUNDLE t b", "m=text 9 UDP/TLS/RTP/SAVPF 98 99|a=mid:t", testAudio+"|a=mid:b"), ClientReceives,
			[]string{"text 0 t inactive", "audio 9 b sendonly"}, "b"},
	} {
		t.Run(row.name, func(t *testing.T) {
			limit := 3
			if row.kind == ClientSends {
				limit = 1
			}
			o, err := ReadOffer(row.offer, row.kind, limit)
			require.NoError(t, err)
			answer := answered(o)
			assert.Equal(t, row.want, summary(t, answer))
			if row.bundle == "" {
				assert.NotContains(t, answer, "BUNDLE")
			} else {
				assert.Contains(t, answer, "\r\na=group:BUNDLE "+row.bundle+"\r\n")
			}
			assert.Equal(t, "abcd", o.ICE.Ufrag)
		})
	}
}

func TestAnswerKeepsPayloadTypesAndExtensionIDs(t *testing.T) {
	text := testOffer("a=group:BUNDLE a b",
		strings.ReplaceAll(testAudio, "96", "109")+"|a=mid:a|a=extmap:3 "+AudioLevelURI,
		"m=audio 9 UDP/TLS/RTP/SAVP 0 63 101 100|a=rtpmap:63 red/48000/2|a=rtpmap:100 opus/48000/2|a=rtpmap:101 opus/48000/2|a=rtcp-mux|a=mid:b|a=extmap:7/recvonly "+AudioLevelURI)
	o, err := ReadOffer(text, ClientReceives, 3)
	require.NoError(t, err)
	voices := o.Active()
	require.Len(t, voices, 2)
	assert.Equal(t, []int{109, 101}, []int{voices[0].Opus, voices[1].Opus})
	assert.Equal(t, []uint8{3, 0}, []uint8{voices[0].AudioLevel, voices[1].AudioLevel})
	answer := answered(o)
	assert.Contains(t, answer, "m=audio 9 UDP/TLS/RTP/SAVPF 109\r\n")
	assert.Contains(t, answer, "m=audio 9 UDP/TLS/RTP/SAVP 101\r\n")
	assert.Contains(t, answer, "a=extmap:3 ")
	assert.NotContains(t, answer, "a=extmap:7")
}

func TestReadOfferErrors(t *testing.T) {
	swap := func(old, with string) string { return testOffer("", strings.Replace(testAudio, old, with, 1)) }
	many := slices.Repeat([]string{testAudio}, maxSections+1)
	for _, row := range []struct {
		name, offer string
		kind        Flow
		is          error
		says        string
	}{
		{"nothing", "", ClientReceives, ErrInvalid, "media sections"},
		{"no SDP", "{\"sdp\":1}", ClientReceives, ErrInvalid, "not SDP"},
		{"too long", testOffer("a=x:" + strings.Repeat("y", maxLength)), ClientReceives, ErrInvalid, "longer than"},
		{"too many sections", testOffer("", many...), ClientReceives, ErrInvalid, "65 media sections"},
		{"no audio", testOffer("", strings.Replace(testAudio, "m=audio", "m=video", 1)), ClientReceives, ErrNoAudio, "a=recvonly"},
		{"an ear that only sends", testOffer("a=sendonly", testAudio), ClientReceives, ErrNoAudio, "received (a=recvonly)"},
		{"a mic that only receives", testOffer("a=recvonly", testAudio), ClientSends, ErrNoAudio, "sent (a=sendonly)"},
		{"another codec", swap("opus/48000/2", "PCMU/8000"), ClientReceives, ErrNoAudio, "opus/48000/2"},
		{"without encryption", swap("UDP/TLS/RTP/SAVPF", "RTP/AVP"), ClientReceives, ErrNoAudio, "RTP/AVP"},
		{"over TCP", swap("UDP/TLS", "TCP/TLS"), ClientReceives, ErrNoAudio, "TCP/TLS"},
		{"RTCP on a port of its own", swap("a=rtcp-mux|", ""), ClientReceives, ErrNoAudio, "a=rtcp-mux"},
		{"no user name fragment", swap("a=ice-ufrag:abcd|", ""), ClientReceives, ErrInvalid, "ice-ufrag"},
		{"a short password", swap("abcdefghijklmnopqrstuv", "abc"), ClientReceives, ErrInvalid, "ice-pwd"},
		{"no fingerprint", swap("|"+testPrint, ""), ClientReceives, ErrInvalid, "fingerprint is missing"},
		{"an old hash", swap("sha-256", "sha-1"), ClientReceives, ErrInvalid, "sha-1"},
		{"half a fingerprint", swap(":CB:9A", ""), ClientReceives, ErrInvalid, "32 bytes"},
		{"a fingerprint that is none", swap(":CB:9A", ":CB:9X"), ClientReceives, ErrInvalid, "hexadecimal"},
		{"a listener who waits for our hello", swap("actpass", "passive"), ClientReceives, ErrInvalid, "a=setup:passive"},
		{"a mic that does not connect yet", swap("actpass", "holdconn"), ClientSends, ErrInvalid, "a=setup:holdconn"},
		{"two lite sides", testOffer("a=ice-lite", testAudio), ClientReceives, ErrInvalid, "ice-lite"},
		{"a name for two sections", testOffer("", testAudio+"|a=mid:a", testAudio+"|a=mid:a"), ClientReceives, ErrInvalid, "a=mid:a stands twice"},
		{"a name of two words", testOffer("", testAudio+"|a=mid:a b"), ClientReceives, ErrInvalid, "token"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ReadOffer(row.offer, row.kind, 3)
			require.ErrorIs(t, err, row.is)
			assert.ErrorContains(t, err, row.says)
		})
	}
}

func TestReducedHasOnlyWhatWasUnderstood(t *testing.T) {
	o, err := ReadOffer(chromium(t, "vda"), ClientReceives, 3)
	require.NoError(t, err)
	plain := o.Reduced()
	assert.Equal(t, []string{"audio 9 0 recvonly", "audio 9 1 recvonly"}, summary(t, plain))
	for _, odd := range []string{"VP8", "sctp", "telephone-event", "abs-send-time", "candidate"} {
		assert.NotContains(t, plain, odd)
	}
	assert.Contains(t, plain, "a=ice-ufrag:"+o.ICE.Ufrag)
}

func FuzzOffer(f *testing.F) {
	for _, name := range []string{"ear3", "avd", "vda", "mic"} {
		f.Add(chromium(f, name), true, 3)
		f.Add(chromium(f, name), false, 1)
	}
	f.Add(testOffer("a=group:BUNDLE v a", "m=video 9 UDP/TLS/RTP/SAVPF 97|a=mid:v|"+testICE,
		"m=audio 0 UDP/TLS/RTP/SAVPF 96|a=rtpmap:96 opus/48000/2|a=rtcp-mux|a=mid:a|a=bundle-only"), true, 1)
	f.Add(testOffer("", testAudio), false, 1)
	f.Fuzz(func(t *testing.T, text string, ear bool, limit int) {
		k := ClientSends
		if ear {
			k = ClientReceives
		}
		o, err := ReadOffer(text, k, limit)
		if err != nil {
			return
		}
		var offered, got, plain pion.SessionDescription
		if whole := strings.TrimPrefix(text, "\ufeff"); strings.HasSuffix(whole, "\n") {
			text = whole
		} else { // Pion wants what tools leave out
			text = whole + "\r\n"
		}
		require.NoError(t, offered.UnmarshalString(text))
		require.NoError(t, got.UnmarshalString(answered(o)), answered(o))
		require.NoError(t, plain.UnmarshalString(o.Reduced()))
		checkAnswer(t, &offered, &got)
		require.Len(t, plain.MediaDescriptions, len(o.Active()))
		require.NotEmpty(t, o.Active())
		require.LessOrEqual(t, len(o.Active()), max(limit, 0))
	})
}

// Whatever sections an offer has, in whatever groups, the answer is in step.
func TestAnswerMatchesAnyOffer(t *testing.T) {
	answers := 0
	rapid.Check(t, func(r *rapid.T) {
		kinds := []string{
			testAudio, testAudio + "|a=recvonly", testAudio + "|a=sendonly", testAudio + "|a=inactive",
			strings.Replace(testAudio, "audio 9", "audio 0", 1), strings.Replace(testAudio, "audio 9", "audio 0", 1) + "|a=bundle-only",
			strings.Replace(testAudio, "opus", "speex", 1), strings.Replace(testAudio, "a=rtcp-mux|", "", 1),
			"m=video 9 UDP/TLS/RTP/SAVPF 97 98|a=rtpmap:97 VP8/90000|a=rtcp-mux|" + testICE,
			"m=application 9 UDP/DTLS/SCTP webrtc-datachannel|a=sctp-port:5000|" + testICE,
		}
		names := []string{"a", "b", "c", "d", "e", "f"}
		var list []string
		for i := range rapid.IntRange(1, len(names)).Draw(r, "sections") {
			s := rapid.SampledFrom(kinds).Draw(r, "kind")
			if rapid.IntRange(0, 9).Draw(r, "named") > 0 {
				s += "|a=mid:" + names[i]
			}
			list = append(list, s)
		}
		session := ""
		for range rapid.IntRange(0, 2).Draw(r, "groups") {
			group := rapid.SliceOfN(rapid.SampledFrom(names), 1, 6).Draw(r, "group")
			session += "a=group:BUNDLE " + strings.Join(group, " ") + "|"
		}
		k := rapid.SampledFrom([]Flow{ClientSends, ClientReceives}).Draw(r, "for")
		limit := rapid.IntRange(1, 3).Draw(r, "limit")
		text := testOffer(session, list...)
		o, err := ReadOffer(text, k, limit)
		if err != nil {
			require.ErrorIs(r, err, ErrNoAudio)
			return
		}
		answers++
		var offered, got pion.SessionDescription
		require.NoError(r, offered.UnmarshalString(text))
		require.NoError(r, got.UnmarshalString(answered(o)))
		checkAnswer(r, &offered, &got)
		require.LessOrEqual(r, len(o.Active()), limit)
	})
	require.Positive(t, answers) // with -short, rapid draws few offers
}

// checkAnswer holds what must be so of any answer to any offer.
func checkAnswer(t require.TestingT, offered, got *pion.SessionDescription) {
	require.Len(t, got.MediaDescriptions, len(offered.MediaDescriptions))
	var accepted, bundled []string
	for i, m := range got.MediaDescriptions {
		was := offered.MediaDescriptions[i]
		require.Equal(t, was.MediaName.Media, m.MediaName.Media)
		require.Equal(t, was.MediaName.Protos, m.MediaName.Protos)
		require.NotEmpty(t, m.MediaName.Formats)
		mid, _ := m.Attribute("mid")
		wasMID, _ := was.Attribute("mid")
		require.Equal(t, wasMID, mid)
		for _, format := range m.MediaName.Formats {
			require.Contains(t, was.MediaName.Formats, format)
		}
		if m.MediaName.Port.Value == 0 {
			_, hasICE := m.Attribute("ice-ufrag")
			require.False(t, hasICE, "a rejected section has no transport")
			continue
		}
		require.Equal(t, "audio", m.MediaName.Media)
		accepted = append(accepted, mid)
	}
	require.NotEmpty(t, accepted)
	group, grouped := got.Attribute("group")
	if grouped {
		bundled = strings.Fields(group)[1:]
		require.ElementsMatch(t, accepted, bundled)
		return
	}
	require.Len(t, accepted, 1, "what is not bundled has one transport, so one section")
}

// TestPassivePublisherIsAnsweredActive: who publishes may wait for the server's DTLS hello.
func TestPassivePublisherIsAnsweredActive(t *testing.T) {
	for offered, answered := range map[string]string{"passive": "active", "active": "passive", "actpass": "passive"} {
		o, err := ReadOffer(strings.ReplaceAll(chromium(t, "mic"), "a=setup:actpass", "a=setup:"+offered), ClientSends, 1)
		require.NoError(t, err)
		assert.Equal(t, offered == "passive", o.WaitsForHello)
		answer := o.Answer(1, Transport{ICE: NewCredentials(), Fingerprint: o.Fingerprint}, nil)
		assert.Contains(t, answer, "\r\na=setup:"+answered+"\r\n", offered)
		if offered == "passive" {
			assert.Contains(t, o.Reduced(), "\r\na=setup:passive\r\n")
		}
	}
}
