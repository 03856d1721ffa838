package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	assert.Equal(t, 4, examples)

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
	words := append(fieldNames(networkForm()), network.Presets()...)
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
	words := slices.Concat(fieldNames(scenarioForm()), fieldNames(roomForm()), fieldNames(groupForm()), fieldNames(arrivalsForm("")),
		fieldNames(turnsForm()), fieldNames(eventForm()), []string{"threshold", "abort_on_fail", "delay"},
		[]string{string(Linear), string(Poisson), string(SCurve), string(Burst), string(Speaker), string(Listener), string(Host)})
	for _, word := range words {
		assert.Contains(t, string(docs), "`"+word+"`")
	}
}

func fieldNames[T any](m form[T]) (names []string) {
	for _, f := range m.fields {
		names = append(names, f.name)
	}
	return names
}

// verbsTable is the table of verbs of docs/scenario.md.
func verbsTable() string {
	var b strings.Builder
	b.WriteString("| `do` | who | what happens |\n|---|---|---|\n")
	for _, v := range Verbs() {
		who := strings.ReplaceAll(list(v.Who), ",", "s,") + "s"
		switch {
		case v.OfRoom:
			who = ""
		case len(v.Who) == len(everybody):
			who = "anybody"
		}
		fmt.Fprintf(&b, "| `%s` |%s | %s |\n", v.Verb, strings.TrimRight(" "+who, " "), v.Help)
	}
	return b.String()
}

func TestDocsTableOfVerbsIsGenerated(t *testing.T) {
	const path = "../../docs/scenario.md"
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, after, ok := strings.Cut(string(text), "| `do` | who |")
	require.True(t, ok)
	_, after, ok = strings.Cut(after, "\n\n")
	require.True(t, ok)
	want := before + verbsTable() + "\n" + after
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	assert.Equal(t, want, string(text), "run go generate ./loadgen/scenario")
}
