package tree_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	namedTest   = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	definedTest = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// testsOfTheTree are the names of all tests there are.
func testsOfTheTree(t *testing.T) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range definedTest.FindAllSubmatch(text, -1) {
			there[string(m[1])] = true
		}
		return err
	}))
	return there
}

func TestEachPromiseOfSecurityIsHeldByATestThatExists(t *testing.T) {
	requireHeld(t, "docs/security.md", 30)
}

func TestEachPromiseOfAnEarIsHeldByATestThatExists(t *testing.T) {
	requireHeld(t, "docs/media.md", 40)
}

// requireHeld requires that each row of a document's tables of promises, of which
// it has at least so many, names tests that there are.
func requireHeld(t *testing.T, document string, least int) {
	t.Helper()
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	there := testsOfTheTree(t)
	promises := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| promise ") {
			continue
		}
		promises++
		names := namedTest.FindAllStringSubmatch(line, -1)
		assert.NotEmpty(t, names, "no test holds: %s", line)
		for _, name := range names {
			assert.True(t, there[name[1]], "there is no test %s", name[1])
		}
	}
	assert.GreaterOrEqual(t, promises, least)
}

// Whoever hunts for what a fuzz test has found before finds it in the tree.
func TestEachFuzzTestHasItsSeedsInTheTree(t *testing.T) {
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range definedTest.FindAllSubmatch(text, -1) {
			if name := string(m[1]); strings.HasPrefix(name, "Fuzz") {
				seeds, _ := os.ReadDir(filepath.Join(filepath.Dir(path), "testdata", "fuzz", name))
				assert.NotEmpty(t, seeds, "%s in %s has none: run it for a little with go test -fuzz, and copy some of what it finds "+
					"interesting from $(go env GOCACHE)/fuzz to its testdata/fuzz/%s", name, path, name)
			}
		}
		return err
	}))
}
