package printable_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/internal/printable"
)

func TestLineAndLines(t *testing.T) {
	for _, row := range []struct{ name, text, line, lines string }{
		{"letters and emoji stay", "Ünïcødé 🎙", "Ünïcødé 🎙", "Ünïcødé 🎙"},
		{"an escape is none any more", "\x1b[31mBo", "?[31mBo", "?[31mBo"},
		{"a line's end ends no line unless it may", "a\n\tb\r", "a??b?", "a\n\tb?"},
		{"what is no UTF-8 is replaced", "a\xff", "a\ufffd", "a\ufffd"},
		{"nothing stays nothing", "", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			assert.Equal(t, row.line, printable.Line(row.text))
			assert.Equal(t, row.lines, printable.Lines(row.text))
		})
	}
}
