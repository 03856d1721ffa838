package wire

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// NameProblem says what may be wrong with a name that [ValidName] refuses.
var NameProblem = fmt.Sprintf("is longer than %d characters, or holds characters that cannot be seen or that move others", MaxName)

// AboutProblem says what may be wrong with a text that [ValidAbout] refuses.
var AboutProblem = fmt.Sprintf("is longer than %d characters or one line, or holds characters that cannot be seen or that move others", MaxAbout)

const (
	// MaxAbout is how long a text may be that somebody shows of themselves, in runes.
	MaxAbout = 160
	// maxMarks is how many marks one letter may bear: more climb over the lines around it.
	maxMarks = 4

	zeroWidthNonJoiner = '\u200c' // Persian and others write with it
	zeroWidthJoiner    = '\u200d' // so do they, and many emoji
	brailleBlank       = '\u2800' // a symbol, they say

	blackFlag = "\U0001f3f4"
	tags      = 0xe0000 // the first of them is ASCII's of the same place
)

// flags are the emoji that are written with tags, which hide a text anywhere else: England's, Scotland's and
// Wales's flags, all that there are for general use (Unicode, emoji-sequences.txt).
var flags = strings.NewReplacer(flagOf("gbeng"), blackFlag, flagOf("gbsct"), blackFlag, flagOf("gbwls"), blackFlag)

// flagOf writes the code of a region in tags, behind a black flag.
func flagOf(region string) string {
	text := []rune(blackFlag)
	for _, letter := range region {
		text = append(text, tags+letter)
	}
	return string(append(text, tags+0x7f))
}

// ValidName reports whether a person or a room may be called name: valid UTF-8 of at most
// [MaxName] runes that can be seen, on one line, in their order. So no name looks like
// another by what cannot be seen in it, or like none. The empty name is valid, and so are
// spaces alone, which mean the same. A name is no identity: two people may have one.
func ValidName(name string) bool { return validLine(name, MaxName) }

// ValidAbout reports whether a text is one that somebody may show of themselves: it is as
// [ValidName] says, and of at most [MaxAbout] runes.
func ValidAbout(text string) bool { return validLine(text, MaxAbout) }

func validLine(name string, longest int) bool {
	if !readable(name, longest) {
		return false
	}
	name = flags.Replace(strings.TrimSpace(name))
	marks, before := 0, false // whether something can be seen before
	for i, r := range name {
		switch {
		case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
			after, _ := utf8.DecodeRuneInString(name[i+utf8.RuneLen(r):])
			if !before || !visible(after) {
				return false
			}
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
			if marks++; !before || marks > maxMarks || unseen(r) && !unicode.Is(unicode.Variation_Selector, r) {
				return false
			}
		case unicode.IsSpace(r):
			marks, before = 0, false
		case !visible(r):
			return false
		default:
			marks, before = 0, true
		}
	}
	return true
}

// visible reports whether a rune is one that can be seen by itself. One that Unicode has
// assigned lately may be.
func visible(r rune) bool {
	nothing := r == utf8.RuneError || r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef
	return !nothing && !unseen(r) && !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Z, unicode.Mn, unicode.Me)
}

// unseen reports whether a rune that is no control character shows nothing.
func unseen(r rune) bool {
	return r == brailleBlank || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// readable reports whether a name is valid UTF-8 of so many runes at most, without control
// characters, line separators, or the characters that reorder the text around them.
func readable(name string, longest int) bool {
	return utf8.ValidString(name) && utf8.RuneCountInString(name) <= longest && !hasControl(name)
}

func hasControl(s string) bool {
	for _, r := range s {
		switch {
		case unicode.IsControl(r), r == 0x2028, r == 0x2029:
			return true
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return true
		}
	}
	return false
}
