package server

import (
	"fmt"

	"github.com/earshot-audio/earshot/internal/reach"
)

// exposed says what others than this machine can read or do by the way the server is
// started, a warning for each, in the order of their weight. The flags have been checked.
func (f serveFlags) exposed() (warnings []string) {
	add := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	public, _ := parsePublicURL(f.publicURL) // nil without one
	plain := f.tlsCert == "" && !f.tlsSelfSigned
	switch {
	case f.open && reach.Outside(f.http):
		add("--open-to-network: whoever reaches --http %s can make rooms, enter them as host and end them, without a token", f.http)
	case f.open && public != nil && reach.Outside(public.Host):
		add("--open: whoever reaches %s can make rooms, enter them as host and end them, without a token", f.publicURL)
	case plain && reach.Outside(f.http) && public != nil && public.Scheme == "https":
		add("--http %s is not encrypted and can be reached from the network: let nobody but the proxy of --public-url reach it, over a network that nobody listens to", f.http)
	case plain && reach.Outside(f.http):
		add("--http %s is not encrypted and can be reached from the network: whoever is on the way reads every token, the operator's too, and browsers have no microphone there; "+
			"add --tls-self-signed or --tls-cert and --tls-key, or --public-url with https if a proxy ends TLS", f.http)
	}
	if public != nil && public.Scheme == "http" && !f.open && reach.Outside(public.Host) {
		add("--public-url %s is not encrypted: whoever is on the way reads every token and invite, and browsers have no microphone there", f.publicURL)
	}
	for _, ranges := range []struct {
		flag, then string
		texts      []string
	}{
		{"--trusted-proxy", "anybody can claim to be anybody, and no rate limit by address holds; name the proxies alone", f.trustedProxy},
		{"--rate-limit-exempt", "nobody is held to the rate limits, so codes can be guessed as fast as the network allows", f.rateLimitExempt},
	} {
		list, _ := prefixes(ranges.flag, ranges.texts)
		for _, p := range list {
			if p.Bits() == 0 {
				add("%s %s is everybody: %s", ranges.flag, p, ranges.then)
			}
		}
	}
	return warnings
}
