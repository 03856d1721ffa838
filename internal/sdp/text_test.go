package sdp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestParseTakesTextAsToolsWriteIt reads one description as editors and shells leave it.
func TestParseTakesTextAsToolsWriteIt(t *testing.T) {
	text := strings.Join([]string{"v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0",
		"m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=rtpmap:111 opus/48000/2", "a=mid:last"}, "\r\n")
	for name, given := range map[string]string{
		"whole":                      text + "\r\n",
		"without the last newline":   text,
		"with newlines alone":        strings.ReplaceAll(text, "\r\n", "\n") + "\n",
		"newlines, without the last": strings.ReplaceAll(text, "\r\n", "\n"),
		"with a byte order mark":     "\ufeff" + text + "\r\n",
	} {
		d, err := Parse(given)
		require.NoError(t, err, name)
		require.Len(t, d.Sections, 1, name)
		assert.Equal(t, "last", d.Sections[0].MID, name)
	}
}
