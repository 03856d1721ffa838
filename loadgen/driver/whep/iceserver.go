package whep

import (
	"net/http"
	"slices"
	"strings"

	"github.com/pion/stun/v4"

	"github.com/earshot-audio/earshot/internal/iceuri"
	"github.com/earshot-audio/earshot/loadgen/driver"
)

// maxICEServers bounds how many ICE servers of one server are used.
const maxICEServers = 8

// iceServers reads the ICE servers in an answer's Link headers (RFC 9725, section 4.6;
// RFC 8288, section 3). It skips other links and servers that can't be used.
func iceServers(h http.Header) (servers []driver.ICEServer) {
	for _, value := range h.Values("Link") {
		for _, link := range splitQuoted(value, ',') {
			s, ok := iceServer(link)
			if ok && len(servers) < maxICEServers && !slices.Contains(servers, s) {
				servers = append(servers, s)
			}
		}
	}
	return servers
}

func iceServer(link string) (s driver.ICEServer, ok bool) {
	fields := splitQuoted(link, ';')
	target := strings.TrimSpace(fields[0])
	if len(target) < 2 || target[0] != '<' || target[len(target)-1] != '>' {
		return s, false
	}
	s.URL = target[1 : len(target)-1]
	uri, err := iceuri.Parse(s.URL)
	if err != nil {
		return s, false
	}
	kind := "password"
	for _, f := range fields[1:] {
		name, v, _ := strings.Cut(f, "=")
		v = unquote(strings.TrimSpace(v))
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "rel":
			ok = slices.Contains(strings.Fields(strings.ToLower(v)), "ice-server")
		case "username":
			s.Username = v
		case "credential":
			s.Credential = v
		case "credential-type":
			kind = v
		}
	}
	// Schemes are case-insensitive (RFC 3986, section 3.1).
	turn := uri.Scheme == stun.SchemeTypeTURN || uri.Scheme == stun.SchemeTypeTURNS
	if turn && (s.Username == "" || s.Credential == "" || kind != "password") {
		return s, false
	}
	return s, ok
}

// splitQuoted splits at separators outside of quotes and angle brackets.
func splitQuoted(text string, separator byte) (parts []string) {
	start, quoted, bracket := 0, false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !bracket:
			quoted = !quoted
		case quoted:
		case c == '<' || c == '>':
			bracket = c == '<'
		case c == separator && !bracket:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// unquote removes the quotes and backslashes of a quoted string (RFC 9110, section 5.6.4).
func unquote(text string) string {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return text
	}
	var b strings.Builder
	for i := 1; i < len(text)-1; i++ {
		if text[i] == '\\' && i+1 < len(text)-1 {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
