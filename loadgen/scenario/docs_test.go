package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/network"
)

// The examples of docs/scenario.md are scenarios that could stand in the
// scenarios folder, and the error that it shows is the one that is given.
func TestDocsExamples(t *testing.T) {
	docs, err := os.ReadFile("../../docs/scenario.md")
	require.NoError(t, err)
	blocks := strings.Split(string(docs), "```")
	s := compiled(t)
	examples := 0
	for i := 1; i < len(blocks); i += 2 {
		src, isYAML := strings.CutPrefix(blocks[i], "yaml\n")
		if !isYAML {
			continue
		}
		examples++
		parsed, err := Parse(filepath.Join(folder, "docs.yaml"), []byte(src))
		require.NoError(t, err)
		assert.Empty(t, parsed.Warnings)
		assert.NoError(t, fits(t, s, []byte(src)))
		for _, g := range parsed.Cast {
			for _, audio := range g.Audio {
				assert.FileExists(t, audio)
			}
		}
	}
	assert.Equal(t, 3, examples)

	first, _, _ := strings.Cut(strings.TrimPrefix(blocks[1], "yaml\n"), "  latency:")
	_, err = Parse("lecture.yaml", []byte(first+"  latncy: [\"p(99) < 20ms\"]\n"))
	require.Error(t, err)
	shown := strings.TrimSpace(blocks[3])
	for line := range strings.Lines(shown) {
		assert.Contains(t, err.Error(), strings.TrimSpace(line))
	}
}

// The example of docs/network.md is one, too, and its tables name every field.
func TestDocsOfNetworks(t *testing.T) {
	docs, err := os.ReadFile("../../docs/network.md")
	require.NoError(t, err)
	_, after, _ := strings.Cut(string(docs), "```yaml\n")
	src, _, _ := strings.Cut(after, "```")
	parsed, err := Parse(filepath.Join(folder, "docs.yaml"), []byte(src))
	require.NoError(t, err)
	assert.Empty(t, parsed.Warnings)
	assert.NoError(t, fits(t, compiled(t), []byte(src)))
	assert.Equal(t, "train", parsed.Cast[3].NetworkName())
	words := append(append([]string{"profile", "name", "up", "down", "outages", "rebinds"}, directionFields...), network.Presets()...)
	for _, shape := range network.Shapes() {
		words = append(words, string(shape))
	}
	for _, word := range words {
		assert.Contains(t, string(docs), "`"+word+"`")
	}
}

// The tables of the docs name every field and word of the schema.
func TestDocsNameEveryField(t *testing.T) {
	docs, err := os.ReadFile("../../docs/scenario.md")
	require.NoError(t, err)
	for _, word := range []string{
		"name", "rooms", "room", "cast", "timeline", "hold", "join_deadline", "seed", "thresholds",
		"capacity", "slots", "role", "count", "audio", "arrive", "turns", "sections", "within", "shape",
		"network", "talk", "overlap", "at", "who", "do", "warm_up", "depart", "name", "for", "threshold", "abort_on_fail", "delay", string(Linear), string(Poisson), string(SCurve), string(Burst),
		string(RaiseHand), string(LowerHand), string(Promote), string(Demote), string(Mute), string(Unmute),
		string(Leave), string(End), string(Speaker), string(Listener), string(Host),
	} {
		assert.Contains(t, string(docs), "`"+word+"`")
	}
}
