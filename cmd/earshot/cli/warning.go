package cli

import (
	"fmt"
	"io"
	"net/url"

	"github.com/earshot-audio/earshot/internal/reach"
)

// Warn prints warnings on standard error.
func Warn(stderr io.Writer, warnings []string) {
	for _, w := range warnings {
		fmt.Fprintln(stderr, "earshot: warning:", w)
	}
}

// PlainToken says that a token would go to a URL of another machine in the open; nothing
// if there is none, or it is encrypted.
func PlainToken(token string, urls []string) (warnings []string) {
	if token == "" {
		return nil
	}
	seen := map[string]bool{}
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		encrypted := map[string]string{"http": "an https", "ws": "a wss"}[u.Scheme]
		if encrypted == "" || !reach.Outside(u.Host) || seen[u.Host] {
			continue
		}
		seen[u.Host] = true
		warnings = append(warnings, fmt.Sprintf("the token goes to %s://%s unencrypted: whoever is on the way can read and use it; give %s URL", u.Scheme, u.Host, encrypted))
	}
	return warnings
}
