package scenario

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAudioThatComesWithEarshot(t *testing.T) {
	for _, row := range []struct {
		name, file, audio string
		want              []string
	}{
		{"alone", "dir/a.yaml", "builtin:speech", []string{"builtin:speech"}},
		{"in quotes", "dir/a.yaml", `"builtin:speech"`, []string{"builtin:speech"}},
		{"in a list in brackets, where the parser sees fields", "dir/a.yaml", "[builtin:speech, builtin:guest]", []string{"builtin:speech", "builtin:guest"}},
		{"in a list in lines", "dir/a.yaml", "\n      - builtin:speech\n      - own.ogg", []string{"builtin:speech", "dir/own.ogg"}},
		{"a path in a scenario that comes with earshot", "builtin:a", "[audio/speech.ogg]", []string{"builtin:speech"}},
		{"a field of another name is still none", "dir/a.yaml", "[wave: speech]", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := Parse(row.file, []byte("name: a\ncast:\n  - role: speaker\n    count: 1\n    audio: "+row.audio+"\n  - {role: listener, count: 1}\nhold: 1s\n"))
			if row.want == nil {
				require.ErrorContains(t, err, "audio must be text")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, row.want, s.Cast[0].Audio)
		})
	}
}

func TestLoadNamesAnUnknownRecording(t *testing.T) {
	_, err := LoadText("a.yaml", []byte("name: a\ncast:\n  - {role: speaker, count: 1, audio: builtin:gest}\n  - {role: listener, count: 1}\nhold: 1s\n"))
	require.ErrorContains(t, err, "a.yaml:3:")
	assert.ErrorContains(t, err, "did you mean guest?")
}
