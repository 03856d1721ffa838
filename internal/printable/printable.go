// Package printable makes other people's text safe to show on a terminal or in a log: it
// acts on no escape, and begins no line of its own.
package printable

import (
	"strings"
	"unicode"
)

// Line replaces every rune that is not graphic by a question mark.
func Line(text string) string { return graphic(text, "") }

// Lines is [Line] for each line of a text, which may have tabs.
func Lines(text string) string { return graphic(text, "\n\t") }

// graphic replaces what is neither graphic nor among the runes to be kept.
func graphic(text, keep string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) && !strings.ContainsRune(keep, r) {
			return '?'
		}
		return r
	}, text)
}
