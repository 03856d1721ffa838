package sdp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who lists RED before Opus prefers it. Browsers list it after, and are answered with Opus alone.
func TestREDIsAnsweredWherePreferred(t *testing.T) {
	transport := "|" + testICE
	const rest = "|a=rtpmap:96 opus/48000/2|a=mid:0|a=rtcp-mux|a=recvonly|a=rtpmap:63 red/48000/2"
	for name, row := range map[string]struct {
		offer string
		want  uint8
	}{
		"before Opus":               {"63 96" + rest + "|a=fmtp:63 96/96", 63},
		"of three":                  {"63 96" + rest + "|a=fmtp:63 96/96/96", 63},
		"after Opus, as browsers":   {"96 63" + rest + "|a=fmtp:63 96/96", 0},
		"of what it does not say":   {"63 96" + rest, 0},
		"of another Opus":           {"63 96" + rest + "|a=fmtp:63 97/97", 0},
		"of Opus and another codec": {"63 96" + rest + "|a=fmtp:63 96/13", 0},
		"of nothing but slashes":    {"63 96" + rest + "|a=fmtp:63 /", 0},
		"not in the m= line":        {"96" + rest + "|a=fmtp:63 96/96", 0},
	} {
		for _, flow := range []Flow{ClientSends, ClientReceives} {
			t.Run(name, func(t *testing.T) {
				text := testOffer("", "m=audio 9 UDP/TLS/RTP/SAVPF "+row.offer+transport)
				if flow == ClientSends {
					text = strings.Replace(text, "a=recvonly", "a=sendonly", 1)
				}
				o, err := ReadOffer(text, flow, 1)
				require.NoError(t, err)
				assert.Equal(t, row.want, o.Active()[0].RED)
				for _, written := range []string{answered(o), o.Reduced()} {
					if row.want == 0 {
						assert.NotContains(t, written, "63")
						continue
					}
					assert.Contains(t, written, "m=audio 9 UDP/TLS/RTP/SAVPF 63 96\r\n")
					assert.Contains(t, written, "a=rtpmap:63 red/48000/2\r\na=fmtp:63 96/96\r\n")
				}
			})
		}
	}
}

func TestReceiverREDIsReadFromTheAnswer(t *testing.T) {
	hash := Fingerprint(strings.TrimPrefix(testPrint, "a=fingerprint:"))
	for _, red := range []bool{true, false} {
		o, err := ReadOffer(Receiver{ICE: NewCredentials(), Fingerprint: hash, NACK: true, RED: red}.Offer(1), ClientReceives, 1)
		require.NoError(t, err)
		local := testTransport
		local.ICE, local.Fingerprint = NewCredentials(), hash
		remote, err := ReadAnswer(o.Answer(1, local, []Source{{SSRC: 1000}}), 1)
		require.NoError(t, err)
		assert.Equal(t, red, remote.RED.Has(63))
		assert.True(t, remote.Opus.Has(111))
	}
}
