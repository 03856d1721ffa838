package scenario

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What beginners type, and what they are told.
func TestParseSaysInPlainWordsWhatIsNoYAML(t *testing.T) {
	for _, row := range []struct{ name, text, says string }{
		{"a list that is indented with a tab", "name: a\ncast:\n\t- {role: speaker, count: 1}\nhold: 1s\n", "x.yaml:3:1: a tab stands here: indent with spaces"},
		{"a field that is indented with a tab", "name: a\ncast:\n  - role: speaker\n\tcount: 1\nhold: 1s\n", "x.yaml:4:1: a tab stands here: indent with spaces"},
		{"a colon within a text", "name: a: b\nhold: 1s\n", "x.yaml:1:7: a colon or an indent is not expected here"},
		{"a field that is indented too far", "name: a\n  hold: 1s\n", "x.yaml:1:7: a colon or an indent is not expected here"},
		{"a field without its colon", "name: a\nhold 1s\n", "x.yaml:2:1: a field needs a colon and a space after its name"},
		{"a quotation mark alone", "name: \"a\nhold: 1s\n", "x.yaml:1:7: the quotation mark that opens here is never closed"},
		{"an apostrophe alone", "name: 'a\nhold: 1s\n", "x.yaml:1:7: the quotation mark that opens here is never closed"},
		{"a list without its end", "name: a\ncast: [{role: speaker, count: 1}\nhold: 1s\n", "a list in brackets lacks its ]"},
		{"braces without their end", "name: a\nroom: {capacity: 1\nhold: 1s\n", "fields in braces lack their }"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := Parse("x.yaml", []byte(row.text))
			require.ErrorContains(t, err, row.says)
			lines := strings.Split(err.Error(), "\n")
			for i, line := range lines {
				if strings.TrimSpace(line) == "^" {
					assert.True(t, strings.HasPrefix(lines[i-1], ">"), "the caret is below the line that it points into:\n%v", err)
				}
			}
		})
	}
}
