// Package plaintext reads text files as editors write them: with a byte order mark or
// without, and says what is wrong with those that are not UTF-8. Its functions are safe
// for concurrent use.
package plaintext

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Mark is the byte order mark, in UTF-8, with which some editors begin a file.
const Mark = "\ufeff"

// Trim returns the text without the byte order mark that it may begin with.
func Trim[T ~string | ~[]byte](text T) T {
	if len(text) >= len(Mark) && string(text[:len(Mark)]) == Mark {
		return text[len(Mark):]
	}
	return text
}

// An EncodingError is text that is not UTF-8.
type EncodingError struct {
	// Line and Column are where it begins not to be, from 1; columns count characters.
	Line, Column int
	// Encoding is what the text seems to be in.
	Encoding string
}

// Error names the encoding, and what to do.
func (e *EncodingError) Error() string {
	return fmt.Sprintf("the text is in %s: save it as UTF-8", e.Encoding)
}

// Decode is [Trim] for what was read from a file. Text that is not UTF-8 is an
// [*EncodingError].
func Decode(data []byte) ([]byte, error) {
	if name := wide(data); name != "" {
		return nil, &EncodingError{1, 1, name}
	}
	text := Trim(data)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			before := text[:i]
			line := before[bytes.LastIndexByte(before, '\n')+1:]
			return nil, &EncodingError{
				bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(line) + 1,
				foreign(text[i]),
			}
		}
		i += size
	}
	return text, nil
}

// foreign is what text with a byte that no text of UTF-8 has seems to be in.
func foreign(b byte) string {
	if b == 0 {
		return "another encoding, or is no text (a byte is 0)"
	}
	return fmt.Sprintf("Latin-1 or another encoding (byte 0x%02X is not UTF-8)", b)
}

// wide is the name of the encoding if it has two or four bytes a character: by its mark, or, as
// every file of earshot's begins with letters of ASCII or signs, by a byte of zero beside the first.
func wide(data []byte) string {
	if len(data) < 2 {
		return ""
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe\x00\x00")) || bytes.HasPrefix(data, []byte("\x00\x00\xfe\xff")) {
		return "UTF-32"
	}
	switch first, second := data[0], data[1]; {
	case first == 0xff && second == 0xfe, first != 0 && second == 0:
		return "UTF-16 (little-endian)"
	case first == 0xfe && second == 0xff, first == 0 && second != 0:
		return "UTF-16 (big-endian)"
	}
	return ""
}
