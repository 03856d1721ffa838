package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

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

// warn prints warnings on standard error.
func warn(stderr io.Writer, warnings []string) {
	for _, w := range warnings {
		fmt.Fprintln(stderr, "earshot: warning:", w)
	}
}

// exposed says what others than this machine can read of a run.
func (f watchFlags) exposed() (warnings []string) {
	for _, s := range []struct{ flag, address string }{{"--prometheus", f.prometheus}, {"--dashboard", f.dashboard}} {
		if s.address != "" && reach.Outside(s.address) {
			warnings = append(warnings, fmt.Sprintf("%s %s can be reached from the network: whoever does reads the run's figures and its target, without a password", s.flag, s.address))
		}
	}
	token := os.Getenv(remoteWriteToken)
	if u, err := url.Parse(f.remoteWrite); err == nil && u.User != nil {
		token = u.User.String()
	}
	warnings = append(warnings, plainToken(token, []string{f.remoteWrite})...)
	headers := os.Getenv("OTEL_EXPORTER_OTLP_HEADERS") + os.Getenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS")
	return append(warnings, plainToken(headers, []string{strings.Replace(f.otlp, "grpc://", "http://", 1)})...)
}

// plainToken says that a token would go to a URL of another machine in the open; nothing
// if there is none, or it is encrypted.
func plainToken(token string, urls []string) (warnings []string) {
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

// plainWorkers says that what coordinator and workers tell each other is in the open, of
// the flag that gives the way to do better.
func plainWorkers(remedy string) []string {
	return []string{"coordinator and workers talk unencrypted: whoever is on the way reads the workers' token and the target's, and can change what is measured; " + remedy}
}

// exposed says that the target's token, or one of the driver's own, would be sent in the
// open.
func (f targetFlags) exposed() []string {
	token := f.token
	if kind, err := drivers().Find(f.driver); err == nil {
		f.readEnvironment(kind)
		for _, own := range kind.Flags {
			if own.Token {
				token = cmp.Or(token, f.values[own.Name])
			}
		}
	}
	return plainToken(token, slices.Sorted(maps.Values(f.values)))
}
