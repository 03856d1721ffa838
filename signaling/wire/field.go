package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// CheckFields refuses valid JSON in which an object has two fields of one name,
// or of names that differ in case only: which of them counts would be a matter
// of who reads it (RFC 8259 section 4), and a proxy or a log might read the
// other one. It also refuses what is not UTF-8. The error is an [Error] of
// [CodeBadRequest].
func CheckFields(data []byte) error {
	if !utf8.Valid(data) {
		return NewError(CodeBadRequest, "the JSON is not valid UTF-8")
	}
	name, twice, sure := repeatedFew(data)
	if !sure {
		name, twice = repeatedField(data)
	}
	if twice {
		return NewError(CodeBadRequest, fmt.Sprintf("the field %.40q stands twice", name))
	}
	return nil
}

// What repeatedFew looks through without asking for memory.
const (
	fewLevels = 8
	fewFields = 24 // in all objects that are open at once
)

// fieldScan follows the objects and arrays of a message, and the names of those
// objects that are open.
type fieldScan struct {
	names  [fewFields][]byte // of the objects around, the outermost's first
	first  [fewLevels]int    // where each of these begins; below zero: an array
	depth  int
	n      int
	isName bool // a string that comes next is a name
}

// open enters an object or an array; false if there are too many levels.
func (s *fieldScan) open(object bool) bool {
	if s.depth == fewLevels {
		return false
	}
	s.first[s.depth] = -1
	if object {
		s.first[s.depth] = s.n
	}
	s.isName = object
	s.depth++
	return true
}

// close leaves an object or an array; false if none is open.
func (s *fieldScan) close() bool {
	if s.depth == 0 {
		return false
	}
	s.depth--
	s.isName = false
	if s.first[s.depth] >= 0 {
		s.n = s.first[s.depth]
	}
	return true
}

// comma goes on to the next name or value.
func (s *fieldScan) comma() { s.isName = s.depth > 0 && s.first[s.depth-1] >= 0 }

// name enters a name of the object that is open. It reports whether the object has it
// already, and whether that is sure.
func (s *fieldScan) name(text []byte) (twice, sure bool) {
	s.isName = false
	if s.n == fewFields || bytes.IndexByte(text, '\\') >= 0 {
		return false, false
	}
	for _, had := range s.names[s.first[s.depth-1]:s.n] {
		if bytes.EqualFold(had, text) {
			return true, true
		}
	}
	s.names[s.n] = text
	s.n++
	return false, true
}

// repeatedFew is repeatedField for what messages mostly are: small objects whose
// names are written as they are. For others it is not sure.
func repeatedFew(data []byte) (name string, twice, sure bool) {
	var s fieldScan
	for at := 0; at < len(data); at++ {
		switch data[at] {
		case '{', '[':
			if !s.open(data[at] == '{') {
				return "", false, false
			}
		case '}', ']':
			if !s.close() {
				return "", false, true // no valid JSON
			}
		case ',':
			s.comma()
		case '"':
			end := closing(data, at)
			if end < 0 {
				return "", false, true
			}
			if s.isName {
				text := data[at+1 : end]
				switch twice, sure := s.name(text); {
				case !sure:
					return "", false, false
				case twice:
					return string(text), true, true
				}
			}
			at = end
		}
	}
	return "", false, true
}

// closing returns where the string ends that begins at a quote; -1: nowhere.
func closing(data []byte, at int) int {
	for at++; at < len(data); at++ {
		i := bytes.IndexByte(data[at:], '"')
		if i < 0 {
			return -1
		}
		escape := bytes.IndexByte(data[at:at+i], '\\')
		if escape < 0 {
			return at + i
		}
		at += escape + 1 // what is escaped is skipped
	}
	return -1
}

// repeatedField finds the first field of valid JSON whose name its object has
// had before.
func repeatedField(data []byte) (name string, twice bool) {
	var names []map[string]bool // of the objects and, nil, the arrays around
	isName := false
	for at := 0; at < len(data); at++ {
		switch data[at] {
		case '{':
			names, isName = append(names, map[string]bool{}), true
		case '[':
			names, isName = append(names, nil), false
		case '}', ']':
			if len(names) == 0 {
				return "", false // no valid JSON
			}
			names, isName = names[:len(names)-1], false
		case ',':
			isName = len(names) > 0 && names[len(names)-1] != nil
		case '"':
			end := closing(data, at)
			if end < 0 {
				return "", false
			}
			if isName {
				isName = false
				if json.Unmarshal(data[at:end+1], &name) != nil {
					return "", false
				}
				had, folded := names[len(names)-1], fold(name)
				if had[folded] {
					return name, true
				}
				had[folded] = true
			}
			at = end
		}
	}
	return "", false
}

// fold makes names alike that encoding/json takes for one: those that differ in
// case only.
func fold(name string) string {
	folded := make([]rune, 0, len(name))
	for _, r := range name {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		folded = append(folded, least)
	}
	return string(folded)
}
