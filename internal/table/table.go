package table

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/earshot-audio/earshot/internal/printable"
)

// Options say how a table is laid out. The zero value aligns all columns to the
// left, two spaces apart.
type Options struct {
	// Indent begins each line.
	Indent string
	// Right aligns all columns from this one on, counted from 1, to the right; 0
	// aligns none.
	Right int
}

// Write writes rows in columns, without spaces at the ends of lines. All rows have
// as many cells as the first.
func Write(w io.Writer, o Options, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b bytes.Buffer
	for _, row := range rows {
		line := o.Indent
		for i, cell := range row {
			if i > 0 {
				line += "  "
			}
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if o.Right > 0 && i+1 >= o.Right {
				line += space + cell
			} else {
				line += cell + space
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Printable is a cell of other people's text, safe to show: see [printable.Line]. Blank
// text is a dash.
func Printable(text string) string {
	if text = printable.Line(text); strings.TrimSpace(text) == "" {
		return "-"
	}
	return text
}
