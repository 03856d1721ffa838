// Package shellword writes text so that a POSIX shell takes it as one word. Its functions are
// safe for concurrent use.
package shellword

import (
	"regexp"
	"strings"
)

// plain matches what a shell takes as it is.
var plain = regexp.MustCompile(`^[a-zA-Z0-9_./:,@%+=…-]+$`)

// Quote is a text as a word of a POSIX shell, for command lines that people copy.
func Quote(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
