package table

import (
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
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

// PrintableLines is [Printable] for each line of a text, which may have tabs.
func PrintableLines(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) && r != '\n' && r != '\t' {
			return '?'
		}
		return r
	}, text)
}

// Printable replaces every rune that is not graphic by a question mark, so that a
// terminal acts on none of them, and blank text by a dash. Text from other people
// goes through it.
func Printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '?'
		}
		return r
	}, text)
	if strings.TrimSpace(text) == "" {
		return "-"
	}
	return text
}
