package wire

import (
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
	if name, twice := repeatedField(data); twice {
		return NewError(CodeBadRequest, fmt.Sprintf("the field %.40q stands twice", name))
	}
	return nil
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
			end := at + 1
			for ; end < len(data) && data[end] != '"'; end++ {
				if data[end] == '\\' {
					end++
				}
			}
			if end >= len(data) {
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
