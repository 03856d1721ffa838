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

// repeatedFew is repeatedField for what messages mostly are: small objects whose
// names are written as they are. For others it is not sure.
func repeatedFew(data []byte) (name string, twice, sure bool) {
	var (
		names  [fewFields][]byte // of the objects around, the outermost's first
		first  [fewLevels]int    // where each of these begins; below zero: an array
		depth  int
		n      int
		isName bool
	)
	for at := 0; at < len(data); at++ {
		switch data[at] {
		case '{', '[':
			if depth == fewLevels {
				return "", false, false
			}
			if isName = data[at] == '{'; isName {
				first[depth] = n
			} else {
				first[depth] = -1
			}
			depth++
		case '}', ']':
			if depth == 0 {
				return "", false, true // no valid JSON
			}
			depth--
			isName = false
			if first[depth] >= 0 {
				n = first[depth]
			}
		case ',':
			isName = depth > 0 && first[depth-1] >= 0
		case '"':
			end := closing(data, at)
			if end < 0 {
				return "", false, true
			}
			if isName {
				isName = false
				text := data[at+1 : end]
				if n == fewFields || bytes.IndexByte(text, '\\') >= 0 {
					return "", false, false
				}
				for _, had := range names[first[depth-1]:n] {
					if bytes.EqualFold(had, text) {
						return string(text), true, true
					}
				}
				names[n] = text
				n++
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
