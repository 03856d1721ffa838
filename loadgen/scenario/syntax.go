package scenario

import "strings"

// syntax are what the YAML library says of a file that is not YAML, by how it begins, and the same
// for people who know no grammar of YAML.
var syntax = []struct{ library, plain string }{
	{"found character '\t' that cannot start any token", "a tab stands here: indent with spaces"},
	{"mapping value is not allowed in this context", "a colon or an indent is not expected here: put a text that has a colon in quotes, and begin the fields of one level in one column"},
	{"non-map value is specified", "a field needs a colon and a space after its name, as in hold: 10s"},
	{"could not find end character of double-quoted text", "the quotation mark that opens here is never closed"},
	{"could not find end character of single-quoted text", "the quotation mark that opens here is never closed"},
	{"',' or ']' must be specified", "a list in brackets lacks its ] or a comma before this"},
	{"',' or '}' must be specified", "fields in braces lack their } or a comma before this"},
}

// plainSyntax is what the YAML library says, for people.
func plainSyntax(message string) string {
	for _, s := range syntax {
		if strings.HasPrefix(message, s.library) {
			return s.plain
		}
	}
	return message
}

// pointed is an excerpt of a file with the caret below the line that it points into. The library has
// it below the last line of the token, which may be that of the text after it.
func pointed(excerpt string) string {
	lines := strings.Split(excerpt, "\n")
	marked, caret := -1, -1
	for i, line := range lines {
		switch {
		case marked < 0 && strings.HasPrefix(line, ">"):
			marked = i
		case strings.TrimSpace(line) == "^":
			caret = i
		}
	}
	if marked < 0 || caret <= marked+1 {
		return excerpt
	}
	pointer := lines[caret]
	copy(lines[marked+2:caret+1], lines[marked+1:caret])
	lines[marked+1] = pointer
	return strings.Join(lines, "\n")
}
