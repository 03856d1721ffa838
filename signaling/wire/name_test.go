package wire_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/signaling/wire"
)

func TestNamesCanBeSeen(t *testing.T) {
	for _, c := range []struct {
		why, name string
		valid     bool
	}{
		{"no name is one", "", true},
		{"spaces alone are no name", "   ", true},
		{"ideographic ones neither", "\u3000", true},
		{"a name is", "Ada Lovelace", true},
		{"with accents, composed", "Zoë Čapek", true},
		{"and decomposed", "Zoe\u0308 C\u030capek", true},
		{"Vietnamese has two marks on a letter", "Nguye\u0302\u0303n", true},
		{"Arabic is read from the right", "ليلى", true},
		{"Hebrew bears points", "שָׁלוֹם", true},
		{"Hindi has spacing marks", "हिन्दी", true},
		{"Persian needs a non-joiner", "می\u200cخواهم", true},
		{"Sinhala needs a joiner", "ශ්\u200dරී", true},
		{"Thai", "สมชาย", true},
		{"Korean", "김민지", true},
		{"Chinese of the supplementary planes", "𠮷野", true},
		{"an emoji of several joined", "👩\u200d🚀", true},
		{"a flag with a selector and a joiner", "🏳\ufe0f\u200d🌈", true},
		{"a flag of a part of a country, written with tags", "Cymru \U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f", true},
		{"a keycap", "1\ufe0f\u20e3", true},
		{"a skin tone", "👋🏽", true},
		{"what Unicode may assign tomorrow", "\U0001faf9", true},
		{"the longest", strings.Repeat("é", wire.MaxName), true},

		{"one more", strings.Repeat("é", wire.MaxName+1), false},
		{"a line break", "Ada\nLovelace", false},
		{"an escape of terminals", "Ada\x1b[2J", false},
		{"an override of the direction", "Ada\u202egpj", false},
		{"a mark of the direction", "Ada\u200f", false},
		{"the Arabic letter mark", "\u061cAda", false},
		{"a space without width", "A\u200bda", false},
		{"nothing but one", "\u200b", false},
		{"a byte order mark", "\ufeffAda", false},
		{"a soft hyphen", "A\u00adda", false},
		{"a word joiner", "A\u2060da", false},
		{"a joiner that joins nothing", "Ada\u200d", false},
		{"a joiner at the beginning", "\u200dAda", false},
		{"two joiners", "A\u200d\u200dda", false},
		{"a joiner before a space", "Ada\u200d Lovelace", false},
		{"tags, which hide a text", "Ada\U000e0041\U000e0042", false},
		{"tags behind a flag that is none", "\U0001f3f4\U000e0067\U000e0062\U000e0041\U000e007f", false},
		{"tags of a flag without it", "Ada\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f", false},
		{"a filler of Hangul", "\u3164", false},
		{"its half width", "\uffa0", false},
		{"one between letters", "A\u115fda", false},
		{"an empty Braille pattern", "\u2800", false},
		{"a grapheme joiner, which is a mark", "A\u034fda", false},
		{"a Mongolian separator", "A\u180eda", false},
		{"a mark on nothing", "\u0301", false},
		{"a mark on a space", "Ada \u0301", false},
		{"marks that climb over lines", "A" + strings.Repeat("\u0301", 5), false},
		{"enclosing ones", "A" + strings.Repeat("\u20dd", 5), false},
		{"selectors one after the other, which hide a text", "A" + strings.Repeat("\ufe00", 5), false},
		{"a selector of the other plane on nothing", "\U000e0100", false},
		{"a private character", "\ue000", false},
		{"no character", "\ufdd0", false},
		{"the last of a plane", "\U0001ffff", false},
		{"not UTF-8", "Ada\xff", false},
		{"the replacement of what was not", "Ada\ufffd", false},
	} {
		assert.Equal(t, c.valid, wire.ValidName(c.name), "%s: %q", c.why, c.name)
	}
}
