// Package decimal tells numbers in the one form that people count in from others: 010, which
// YAML 1.1 and Go read as 8, and 0x10, 1e3 and 1_0, on which readers differ. Wherever people
// write a number, another form is refused and not guessed at.
package decimal

import (
	"errors"
	"strings"
)

// ErrForm refuses a number or a length of time in another form.
var ErrForm = errors.New("it is no decimal number: write it like 10 or 0.5, without leading zeros, 0x, exponents or _")

// Is reports whether a number is in the one form: digits without a leading zero, after a sign
// and with a fraction or without. What does not begin like a number is reported as one: it is
// left for others to refuse, in their words.
func Is(text string) bool {
	digits := strings.TrimLeft(text, "+-")
	if digits == "" || strings.Trim(digits[:1], "0123456789.") != "" {
		return true
	}
	return strings.Trim(digits, "0123456789.") == "" && plain(digits)
}

// IsDuration reports whether no number of a length of time, like 1m30s, has a leading zero.
func IsDuration(text string) bool {
	for number := range strings.FieldsFuncSeq(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' }) {
		if !plain(number) {
			return false
		}
	}
	return true
}

// plain reports whether digits have no leading zero.
func plain(digits string) bool {
	whole, _, _ := strings.Cut(digits, ".")
	return len(whole) < 2 || whole[0] != '0'
}
