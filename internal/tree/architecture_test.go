package tree_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const architecture = "docs/architecture.md"

var update = flag.Bool("update", false, "draw the layers in "+architecture+" anew")

// undrawn are packages that hold nothing but tests or tools.
var undrawn = []string{"ci", "internal/browser", "internal/chromium", "internal/endtoend", "internal/faults", "internal/faults/server", "internal/firefox", "internal/growth", "internal/interop", "internal/lab", "internal/soak", "internal/testaudio", "internal/testturn", "internal/tree", "internal/udpproxy"}

// groups are the frames of the drawing, from top to bottom: a name, and which
// packages it frames.
var groups = []struct {
	name string
	has  func(string) bool
}{
	{"the command", func(p string) bool { return under(p, "cmd") }},
	{"the load", func(p string) bool { return under(p, "loadgen") }},
	{"the server", func(p string) bool {
		return under(p, "signaling") || under(p, "room") || under(p, "store") || under(p, "cluster") || under(p, "web")
	}},
	{"for both", func(p string) bool { return under(p, "internal") }},
}

func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// drawn returns the layers as a Mermaid flowchart. An import that follows from
// others is left out: if a may import b and c, and b may import c, there is no
// arrow from a to c. What a package imports of internal is under its name, because
// arrows to there would cross all others.
func drawn(layers map[string][]string) string {
	reach := map[string]map[string]bool{}
	var visit func(string) map[string]bool
	visit = func(p string) map[string]bool {
		if reach[p] == nil {
			reach[p] = map[string]bool{}
			for _, i := range layers[p] {
				reach[p][i] = true
				for further := range visit(i) {
					reach[p][further] = true
				}
			}
		}
		return reach[p]
	}
	var names []string
	for p := range layers {
		if visit(p); !slices.Contains(undrawn, p) {
			names = append(names, p)
		}
	}
	slices.Sort(names)
	id := strings.NewReplacer("/", "_").Replace

	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TD\n")
	for i, g := range groups {
		fmt.Fprintf(&b, "  subgraph group%d [%s]\n", i, g.name)
		for _, p := range names {
			if g.has(p) {
				fmt.Fprintf(&b, "    %s[\"%s\"]\n", id(p), strings.Join(append([]string{p}, shared(p, layers[p])...), "<br/>"))
			}
		}
		b.WriteString("  end\n")
	}
	for _, p := range names {
		for _, i := range slices.Sorted(slices.Values(layers[p])) {
			if under(i, "internal") && !under(p, "internal") {
				continue
			}
			implied := slices.ContainsFunc(layers[p], func(other string) bool { return reach[other][i] })
			if !implied {
				fmt.Fprintf(&b, "  %s --> %s\n", id(p), id(i))
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// shared returns what a package outside of internal imports from there, in lines of
// three names.
func shared(p string, imports []string) (lines []string) {
	if under(p, "internal") {
		return nil
	}
	var names []string
	for _, i := range slices.Sorted(slices.Values(imports)) {
		if name, ok := strings.CutPrefix(i, "internal/"); ok {
			names = append(names, name)
		}
	}
	for line := range slices.Chunk(names, 3) {
		lines = append(lines, "+ "+strings.Join(line, ", "))
	}
	return lines
}

func TestArchitectureDrawsTheLayers(t *testing.T) {
	text, err := os.ReadFile(architecture)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), "```mermaid\n")
	require.True(t, found, "%s has no drawing", architecture)
	drawing, after, found := strings.Cut(rest, "```\n")
	require.True(t, found)
	want, rest, _ := strings.Cut(strings.TrimPrefix(drawn(layers), "```mermaid\n"), "```\n")
	if *update {
		require.NoError(t, os.WriteFile(architecture, []byte(before+drawn(layers)+after), 0o644))
		return
	}
	assert.Empty(t, rest)
	assert.Equal(t, strings.Split(want, "\n"), strings.Split(drawing, "\n"), "draw it anew: go test ./internal/tree -run Architecture -update")
}

func TestDrawingLeavesOutImportsThatFollowFromOthers(t *testing.T) {
	got := drawn(map[string][]string{"cmd": {"loadgen", "room", "internal/a"}, "loadgen": {"room"}, "room": {"internal/a", "internal/b"}, "internal/a": {"internal/b"}, "internal/b": {}})
	assert.Contains(t, got, "cmd --> loadgen\n")
	assert.Contains(t, got, "loadgen --> room\n")
	assert.Contains(t, got, "internal_a --> internal_b\n")
	assert.Contains(t, got, `room["room<br/>+ a, b"]`)
	assert.NotContains(t, got, "cmd --> room")
	assert.NotContains(t, got, "room --> internal")
}
