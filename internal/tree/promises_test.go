package tree_test

import (
	"os"
	"path"
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

// testsOf returns the names of a file's tests and fuzz tests.
func testsOf(t *testing.T, file string) []string {
	t.Helper()
	if !strings.HasSuffix(file, "_test.go") {
		return nil
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var names []string
	for _, m := range definedTest.FindAllSubmatch(text, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

// testsOfTheTree returns the names of all tests there are.
func testsOfTheTree(t *testing.T) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	for _, file := range goFiles(t) {
		for _, name := range testsOf(t, file) {
			there[name] = true
		}
	}
	return there
}

func TestPromisesOfSecurityNameTests(t *testing.T) {
	requireHeld(t, "docs/security.md", 30)
}

func TestPromisesOfMediaNameTests(t *testing.T) {
	requireHeld(t, "docs/media.md", 40)
}

// requireHeld requires that a document has at least so many promises, which are the
// rows of its tables, and that each of them names tests that exist.
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

// A fuzz test's seeds are what fuzzing has found before.
func TestFuzzTestsHaveSeeds(t *testing.T) {
	for _, file := range goFiles(t) {
		for _, name := range testsOf(t, file) {
			if strings.HasPrefix(name, "Fuzz") {
				seeds, _ := os.ReadDir(path.Join(path.Dir(file), "testdata", "fuzz", name))
				assert.NotEmpty(t, seeds, "%s in %s has none: run it for a little with go test -fuzz, and copy some of what it finds "+
					"interesting from $(go env GOCACHE)/fuzz to its testdata/fuzz/%s", name, file, name)
			}
		}
	}
}
