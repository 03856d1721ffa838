package front

import (
	"net/netip"
	"strings"
)

// parseForwarded returns the node of each element of a Forwarded header ("for"; empty if
// an element does not have it). It is strict (RFC 7239, section 4): false for anything
// that is not exactly in the grammar, empty elements aside, which a list may have
// (RFC 9110, section 5.6.1).
func parseForwarded(text string) (nodes []string, ok bool) {
	s := scanner{text}
	for {
		s.spaces()
		if s.text != "" && s.text[0] != ',' {
			node, ok := s.element()
			if !ok {
				return nil, false
			}
			nodes = append(nodes, node)
			s.spaces()
		}
		if s.text == "" {
			return nodes, true
		}
		if !s.take(',') {
			return nil, false
		}
	}
}

// scanner reads a header field from its beginning; text is what is left.
type scanner struct{ text string }

// element reads pairs of one element and returns the value of "for". A name may be there
// once.
func (s *scanner) element() (node string, ok bool) {
	seen := map[string]bool{}
	for {
		name := strings.ToLower(s.token())
		if name == "" || seen[name] || !s.take('=') {
			return "", false
		}
		seen[name] = true
		value, ok := s.value()
		if !ok {
			return "", false
		}
		if name == "for" {
			node = value
		}
		rest := *s
		rest.spaces()
		if !rest.take(';') {
			return node, true
		}
		rest.spaces()
		*s = rest
	}
}

// spaces skips what may stand around separators.
func (s *scanner) spaces() { s.text = strings.TrimLeft(s.text, " \t") }

// take reads one character, if it is there.
func (s *scanner) take(c byte) bool {
	if s.text == "" || s.text[0] != c {
		return false
	}
	s.text = s.text[1:]
	return true
}

// token reads a token, which may be empty (RFC 9110, section 5.6.2).
func (s *scanner) token() string {
	n := strings.IndexFunc(s.text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r < 0x80 && strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
	if n < 0 {
		n = len(s.text)
	}
	token := s.text[:n]
	s.text = s.text[n:]
	return token
}

// value reads a token or a quoted string (RFC 9110, section 5.6.4).
func (s *scanner) value() (string, bool) {
	if !s.take('"') {
		token := s.token()
		return token, token != ""
	}
	var b strings.Builder
	for i := 0; i < len(s.text); i++ {
		c := s.text[i]
		switch {
		case c == '"':
			s.text = s.text[i+1:]
			return b.String(), true
		case c == '\\':
			if i++; i == len(s.text) {
				return "", false
			}
			c = s.text[i]
		}
		if c < ' ' && c != '\t' || c == 0x7f {
			return "", false
		}
		b.WriteByte(c)
	}
	return "", false
}

// parseNode reads a node (RFC 7239, section 6): an IPv4 address, an IPv6 address in
// brackets, each with a port or without. False for "unknown", for the obfuscated
// identifiers, and for what is none of these.
func parseNode(text string) (netip.Addr, bool) {
	host, bracketed := strings.CutPrefix(text, "[")
	port := ""
	if bracketed {
		var closed bool
		if host, port, closed = strings.Cut(host, "]"); !closed {
			return netip.Addr{}, false
		}
	} else if at := strings.IndexByte(host, ':'); at >= 0 {
		host, port = host[:at], host[at:]
	}
	a, err := netip.ParseAddr(host)
	if err != nil || a.Is6() != bracketed || a.Zone() != "" || port != "" && !validPort(port) {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// validPort reports whether text is a colon and a port: one to five digits, or an
// obfuscated one.
func validPort(text string) bool {
	text, ok := strings.CutPrefix(text, ":")
	if hidden, obfuscated := strings.CutPrefix(text, "_"); obfuscated {
		return ok && hidden != "" && strings.Trim(hidden, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
	}
	return ok && text != "" && len(text) <= 5 && strings.Trim(text, "0123456789") == ""
}
