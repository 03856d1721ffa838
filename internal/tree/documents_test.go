package tree_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ (.+)$`)
	codeBlock  = regexp.MustCompile("(?s)```.*?```")
	codeSpan   = regexp.MustCompile("`([^`\n]+)`")
	pathInCode = regexp.MustCompile(`[\w./*-]+`)
	// symbols are the names in brackets after a Go file: `room/room.go` (`Room.Join`, `Room`)
	symbols = regexp.MustCompile("`([\\w./-]+\\.go)` \\(((?:`[\\w.]+`(?:, | and )?)+)\\)")
)

// documents are the Markdown files that people read.
func documents(t *testing.T) map[string]string {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "scenarios/audio/README.md"}
	docs, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	texts := map[string]string{}
	for _, name := range append(names, docs...) {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		texts[filepath.ToSlash(name)] = string(text)
	}
	return texts
}

func TestLinksOfDocumentsLeadSomewhere(t *testing.T) {
	texts := documents(t)
	for name, text := range texts {
		for _, m := range link.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
				_, err := os.Stat(target)
				assert.NoError(t, err, "%s links to %s", name, m[1])
			}
			if anchor != "" {
				assert.Contains(t, anchors(texts[target]), anchor, "%s links to %s", name, m[1])
			}
		}
	}
}

// anchors returns the anchors that GitHub gives a document's headings.
func anchors(text string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1]))
	}
	return all
}

// What looks like a path from the root of the tree, in code of any kind, is one.
func TestFilesThatDocumentsNameExist(t *testing.T) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	var top []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && e.Name() != "earshot-data" && e.Name() != "dist" {
			top = append(top, e.Name())
		}
	}
	found := 0
	for name, text := range documents(t) {
		code := append(codeBlock.FindAllString(text, -1), codeSpan.FindAllString(codeBlock.ReplaceAllString(text, ""), -1)...)
		for _, c := range code {
			if strings.HasPrefix(c, "```mermaid") {
				continue
			}
			for _, at := range pathInCode.FindAllStringIndex(c, -1) {
				if at[0] > 0 && strings.ContainsRune("$}{:", rune(c[at[0]-1])) {
					continue // a part of a URL
				}
				p := c[at[0]:at[1]]
				p = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(p, "./"), "..."), "/")
				first, _, deeper := strings.Cut(p, "/")
				if !deeper || !slices.Contains(top, first) {
					continue
				}
				found++
				matches, err := filepath.Glob(p)
				require.NoError(t, err)
				assert.NotEmpty(t, matches, "%s names %s", name, p)
			}
		}
	}
	assert.Greater(t, found, 50)
}

func TestSymbolsThatDocumentsNameExist(t *testing.T) {
	found := 0
	for name, text := range documents(t) {
		for _, m := range symbols.FindAllStringSubmatch(text, -1) {
			source, err := os.ReadFile(m[1])
			if !assert.NoError(t, err, name) {
				continue
			}
			for _, s := range codeSpan.FindAllStringSubmatch(m[2], -1) {
				found++
				assert.Regexp(t, declaration(s[1]), string(source), "%s names %s of %s", name, s[1], m[1])
			}
		}
	}
	assert.Greater(t, found, 20)
}

// declaration matches the declaration of a function, a type or a method, which is
// written Type.Method.
func declaration(symbol string) *regexp.Regexp {
	if typ, method, ok := strings.Cut(symbol, "."); ok {
		return regexp.MustCompile(`(?m)^func \((\w+ )?\*?` + typ + `(\[\w+\])?\) ` + method + `\(|^\t` + method + `\(`)
	}
	return regexp.MustCompile(`(?m)^(func|type|const|var) ` + symbol + `\b|^\t` + symbol + `\b`)
}
