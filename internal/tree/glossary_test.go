package tree_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sameSense lists words that name types of several packages, all in the glossary's
// sense, with the reason.
var sameSense = map[string]string{
	"section": "sdp.Section is the m-line itself, ledger.section the account of what came in it",
}

var glossaryRow = regexp.MustCompile(`(?m)^\| \*\*([a-z]+)\*\* \|`)

// glossary returns the words of the glossary in docs/architecture.md.
func glossary(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(architecture)
	require.NoError(t, err)
	var words []string
	for _, m := range glossaryRow.FindAllSubmatch(text, -1) {
		words = append(words, string(m[1]))
	}
	require.Greater(t, len(words), 15)
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(words))), len(words), "a word has one row")
	return words
}

// typesOfTheTree returns the packages that declare a type, by the type's name in
// lower case. Tests are left out: their helpers are read beside them.
func typesOfTheTree(t *testing.T) map[string][]string {
	t.Helper()
	types := map[string][]string{}
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				word := strings.ToLower(spec.Name.Name)
				types[word] = append(types[word], path.Dir(file)+"."+spec.Name.Name)
			}
			return true
		})
	}
	return types
}

func TestGlossaryWordNamesOneType(t *testing.T) {
	types := typesOfTheTree(t)
	for _, word := range glossary(t) {
		if sameSense[word] == "" {
			assert.LessOrEqual(t, len(types[word]), 1, "%q of the glossary names several types: %s. Qualify all but one", word, types[word])
		} else {
			assert.Greater(t, len(types[word]), 1, "%q needs no exception", word)
		}
	}
}
