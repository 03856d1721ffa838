package table

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWriteAlignsColumns(t *testing.T) {
	rows := [][]string{{"", "earshot", ""}, {"joined", "100%", "1.00×"}, {"latency µs", "–", ""}}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"to the left", Options{}, "            earshot\njoined      100%     1.00×\nlatency µs  –\n"},
		{"to the right from the second on", Options{Indent: "  ", Right: 2}, "              earshot\n  joined         100%  1.00×\n  latency µs        –\n"},
		{"to the right from the first on", Options{Right: 1}, "            earshot\n    joined     100%  1.00×\nlatency µs        –\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			require.NoError(t, Write(&b, c.o, rows))
			assert.Equal(t, c.want, b.String())
		})
	}
}

func TestPrintableRemovesControlCharacters(t *testing.T) {
	assert.Equal(t, "?[31mBo??", Printable("\x1b[31mBo\t\n"))
	assert.Equal(t, "-", Printable(" "))
	assert.Equal(t, "Ünïcødé 🎙", Printable("Ünïcødé 🎙"))
}
