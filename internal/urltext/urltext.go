// Package urltext writes URLs for people: in terminals, logs, reports and the errors that
// others are shown. What lets somebody in is left out of them. Its functions are safe for
// concurrent use.
package urltext

import (
	"net/url"
	"regexp"
	"strings"
)

// Hidden stands where something was left out.
const Hidden = "…"

// Safe is a URL without its secrets: the user and the password, the values of its query, its
// fragment (earshot's invites have their code there), and those parts of its path that look
// like a key. Placeholders such as {room} stay. A text that is no URL is returned as it is,
// but for what stands before an @ and after a question mark.
func Safe(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "", text
	} else {
		scheme += "://"
	}
	rest, fragment, fragmented := strings.Cut(rest, "#")
	rest, query, queried := strings.Cut(rest, "?")
	host, path, below := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = Hidden + host[at:]
	}
	var b strings.Builder
	b.WriteString(scheme + host)
	if below {
		b.WriteString("/" + safePath(path))
	}
	if queried {
		b.WriteString("?" + safeQuery(query))
	}
	if fragmented && fragment != "" {
		b.WriteString("#" + Hidden)
	}
	return b.String()
}

func safePath(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if looksLikeKey(p) {
			parts[i] = Hidden
		}
	}
	return strings.Join(parts, "/")
}

func safeQuery(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok && looksLikeKey(key):
			pairs[i] = Hidden
		case ok && value != "" && !placeholder.MatchString(value):
			pairs[i] = key + "=" + Hidden
		}
	}
	return strings.Join(pairs, "&")
}

// placeholder matches what stands for a room or a person.
var placeholder = regexp.MustCompile(`^\{[a-z]+\}$`)

// keyLength is how long a part of a path is that may be a key: 16 characters of base64 have
// 96 bits.
const keyLength = 16

// looksLikeKey reports whether a part of a path is long and has letters and digits mixed, as
// tokens, stream keys and the ids of sessions have, and names do not.
func looksLikeKey(part string) bool {
	if decoded, err := url.PathUnescape(part); err == nil {
		part = decoded
	}
	if len(part) < keyLength || strings.ContainsAny(part, " {}") {
		return false
	}
	changes, last := 0, kind(0)
	for _, r := range part {
		now := kindOf(r)
		if now != last && last != 0 && now != 0 {
			changes++
		}
		last = now
	}
	return changes >= 3
}

// A kind is what sort of character a rune is; 0 is one between words.
type kind int

func kindOf(r rune) kind {
	switch {
	case r >= '0' && r <= '9':
		return 1
	case r >= 'A' && r <= 'Z':
		return 2
	case r >= 'a' && r <= 'z':
		return 3
	}
	return 0
}

// inText matches URLs within other text: up to the closing quotation mark, or to the next space.
// Also a user and a password with their host, where a scheme was forgotten.
var inText = regexp.MustCompile(`"[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^"\\]|\\.)*"` +
	`|\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>` + "`" + `]+` +
	`|[^\s"'<>@:/]+:[^\s"'<>@/]+@[^\s"'<>@]+`)

// Scrub is a text, such as an error, with all URLs in it as [Safe] writes them.
func Scrub(text string) string {
	if !strings.Contains(text, "://") && !strings.Contains(text, "@") {
		return text
	}
	return inText.ReplaceAllStringFunc(text, func(found string) string {
		if quoted, ok := strings.CutPrefix(found, `"`); ok {
			return `"` + Safe(strings.TrimSuffix(quoted, `"`)) + `"`
		}
		end := len(strings.TrimRight(found, ".,;:!)]"))
		return Safe(found[:end]) + found[end:]
	})
}
