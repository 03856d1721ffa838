package whip

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/signaling/wire"
)

func TestCheckOffer(t *testing.T) {
	creds := sdp.Credentials{Ufrag: testUfrag, Pwd: testPwd}
	for _, row := range []struct {
		name  string
		kind  Kind
		offer string
		code  wire.Code // empty: fine
	}{
		{"video that is offered beside the audio is the endpoint's to refuse", Publish,
			offerOf(section("video", "0", "sendonly"), section("audio", "1", "sendonly")), ""},
		{"many audio sections may be offered to be played into", Play,
			offerOf(section("audio", "0", "recvonly"), section("audio", "1", "recvonly"), section("audio", "2", "recvonly")), ""},
		{"a data channel alone carries no media", Play, offerOf(section("application", "0", "")), wire.CodeUnprocessable},
		{"a section with port 0 is not on offer", Publish,
			offerOf(strings.Replace(section("audio", "0", "sendonly"), " 9 ", " 0 ", 1)), wire.CodeUnprocessable},
		{"a bundle-only section is, for all its port 0", Publish,
			offerOf(strings.Replace(section("audio", "0", "sendonly", "a=bundle-only"), " 9 ", " 0 ", 1)), ""},
		{"a direction may be the whole session's", Play,
			"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=sendonly\r\n" + section("audio", "0", ""), wire.CodeUnprocessable},
		{"a section's own direction goes before the session's", Play,
			"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=sendonly\r\n" + section("audio", "0", "recvonly"), ""},
		{"an inactive section beside a good one does no harm", Play,
			offerOf(section("audio", "0", "inactive"), section("audio", "1", "recvonly")), ""},
		{"credentials may be the whole session's", Play,
			"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:" + testUfrag + "\r\na=ice-pwd:" + testPwd +
				"\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=recvonly\r\n", ""},
		{"a short password is malformed", Play, strings.ReplaceAll(goodOffer(Play), testPwd, "short"), wire.CodeBadRequest},
		{"a stream named in two sections is one stream", Publish,
			offerOf(section("audio", "0", "sendonly", "a=msid:s t"), section("video", "1", "sendonly", "a=msid:s u")), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			ice, err := checkOffer(row.kind, row.offer)
			if row.code == "" {
				require.NoError(t, err)
				assert.Equal(t, creds, ice)
				return
			}
			var refusal wire.Error
			require.ErrorAs(t, err, &refusal)
			assert.Equal(t, row.code, refusal.Code, refusal.Message)
		})
	}
}

// FuzzOffer checks that an offer is either refused with a client error or yields valid
// credentials, and that the answer's patching is stable.
func FuzzOffer(f *testing.F) {
	for _, seed := range []string{"", "v=0\r\n", goodOffer(Publish), goodOffer(Play), testAnswer,
		offerOf(section("video", "0", "sendonly"), section("application", "1", ""))} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, publish bool) {
		kind := Play
		if publish {
			kind = Publish
		}
		ice, err := checkOffer(kind, text)
		if err != nil {
			var refusal wire.Error
			require.True(t, errors.As(err, &refusal))
			require.Contains(t, []int{400, 422}, refusal.Code.Status())
			require.Equal(t, sdp.Credentials{}, ice)
		} else {
			require.NoError(t, ice.Validate())
		}
		once := sdp.ExclusiveMux(text)
		require.Equal(t, once, sdp.ExclusiveMux(once))
	})
}
