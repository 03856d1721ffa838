package plaintext_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/plaintext"
)

func TestTrim(t *testing.T) {
	for given, want := range map[string]string{
		"": "", "a": "a", "\ufeff": "", "\ufeffname: x": "name: x",
		"\xef\xbb": "\xef\xbb", "a\ufeff": "a\ufeff", "\ufeff\ufeffa": "\ufeffa",
	} {
		assert.Equal(t, want, plaintext.Trim(given))
		assert.Equal(t, []byte(want), plaintext.Trim([]byte(given)))
	}
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ name, given, want string }{
		{"plain text", "name: x\n", "name: x\n"},
		{"nothing", "", ""},
		{"one byte", "a", "a"},
		{"the mark goes", "\ufeffname: é\n", "name: é\n"},
		{"what stands for what could not be read is a character, too", "name: \ufffd", "name: \ufffd"},
	} {
		got, err := plaintext.Decode([]byte(c.given))
		require.NoError(t, err, c.name)
		assert.Equal(t, c.want, string(got), c.name)
	}
}

func TestDecodeNamesOtherEncodings(t *testing.T) {
	for _, c := range []struct {
		name, given, encoding string
		line, column          int
	}{
		{"UTF-16 with its mark", "\xff\xfen\x00a\x00", "UTF-16 (little-endian)", 1, 1},
		{"the other way round", "\xfe\xff\x00n\x00a", "UTF-16 (big-endian)", 1, 1},
		{"without a mark", "n\x00a\x00", "UTF-16 (little-endian)", 1, 1},
		{"without a mark, the other way round", "\x00n\x00a", "UTF-16 (big-endian)", 1, 1},
		{"UTF-32 with its mark", "\xff\xfe\x00\x00n\x00\x00\x00", "UTF-32", 1, 1},
		{"a byte of zero later", "name: x\nhold\x00", "no text", 2, 5},
		{"an é of Latin-1, in the second line after an é of UTF-8", "# é\n# é\xe9\n", "Latin-1", 2, 4},
		{"at the end", "caf\xe9", "Latin-1", 1, 4},
	} {
		_, err := plaintext.Decode([]byte(c.given))
		var wrong *plaintext.EncodingError
		require.ErrorAs(t, err, &wrong, c.name)
		assert.Contains(t, wrong.Encoding, c.encoding, c.name)
		assert.Equal(t, []int{c.line, c.column}, []int{wrong.Line, wrong.Column}, c.name)
		assert.ErrorContains(t, err, "save it as UTF-8", c.name)
	}
}
