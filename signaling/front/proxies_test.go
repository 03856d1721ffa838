package front

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

var trusted = Proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

// What a trusted proxy has passed on, and who the client is by it.
func TestClientIsTheLastWhomNoTrustedProxyHides(t *testing.T) {
	for name, row := range map[string]struct {
		xff, forwarded []string
		want           string // empty: nobody says
		err            error
	}{
		"a proxy says who it was":                    {xff: []string{"192.0.2.1"}, want: "192.0.2.1"},
		"two proxies, one behind the other":          {xff: []string{"192.0.2.1, 10.1.2.3"}, want: "192.0.2.1"},
		"in a field for each":                        {xff: []string{"192.0.2.1", "10.1.2.3"}, want: "192.0.2.1"},
		"what the client wrote itself stands before": {xff: []string{"198.51.100.7, 192.0.2.1"}, want: "192.0.2.1"},
		"IPv6":                          {xff: []string{"2001:db8::1"}, want: "2001:db8::1"},
		"with a port, as some write it": {xff: []string{"192.0.2.1:99"}, want: "192.0.2.1"},
		"in brackets, as some write it": {xff: []string{"[2001:db8::1]:99"}, want: "2001:db8::1"},
		"nobody says":                   {},
		"nonsense says nobody":          {xff: []string{"unknown"}},
		"nobody but proxies":            {xff: []string{"10.1.2.3"}},
		"nothing is believed that stands before that":   {xff: []string{"192.0.2.1, nonsense"}},
		"the standard's header":                         {forwarded: []string{"for=192.0.2.1"}, want: "192.0.2.1"},
		"with other pairs, in any case":                 {forwarded: []string{`by=203.0.113.43;FOR=192.0.2.1;Proto=https;host="x:1"`}, want: "192.0.2.1"},
		"with a port, quoted":                           {forwarded: []string{`for="192.0.2.1:99"`}, want: "192.0.2.1"},
		"IPv6, quoted":                                  {forwarded: []string{`for="[2001:db8::1]:99"`}, want: "2001:db8::1"},
		"IPv6 without a port":                           {forwarded: []string{`for="[2001:DB8::1]"`}, want: "2001:db8::1"},
		"with an obfuscated port":                       {forwarded: []string{`for="192.0.2.1:_x-1"`}, want: "192.0.2.1"},
		"IPv4 within IPv6 is IPv4":                      {forwarded: []string{`for="[::ffff:192.0.2.1]"`}, want: "192.0.2.1"},
		"escaped for no reason":                         {forwarded: []string{`for="1\92.0.2.1"`}, want: "192.0.2.1"},
		"two elements of two proxies":                   {forwarded: []string{`for=192.0.2.1, for="10.1.2.3:5"`}, want: "192.0.2.1"},
		"two fields of two proxies":                     {forwarded: []string{`for=192.0.2.1`, `for=10.1.2.3`}, want: "192.0.2.1"},
		"the client's own element":                      {forwarded: []string{`for=198.51.100.7, for=192.0.2.1`}, want: "192.0.2.1"},
		"the client's unknown":                          {forwarded: []string{`for=unknown, for=192.0.2.1`}, want: "192.0.2.1"},
		"empty elements":                                {forwarded: []string{`, for=192.0.2.1 ,`}, want: "192.0.2.1"},
		"a comma in quotes parts nothing":               {forwarded: []string{`for=192.0.2.1;x="a, for=198.51.100.7"`}, want: "192.0.2.1"},
		"an obfuscated client":                          {forwarded: []string{"for=_hidden"}},
		"an unknown one":                                {forwarded: []string{"for=unknown"}},
		"an element without it":                         {forwarded: []string{"for=192.0.2.1, proto=https"}},
		"a quote of the client that swallows":           {forwarded: []string{`for="198.51.100.7, for=192.0.2.1`}, err: errForwarded},
		"a quote that ends at the proxy's":              {forwarded: []string{`for=198.51.100.7;x="`, `for="[2001:db8::1]"`}, err: errForwarded},
		"IPv6 without quotes":                           {forwarded: []string{"for=[2001:db8::1]"}, err: errForwarded},
		"a port without quotes":                         {forwarded: []string{"for=192.0.2.1:99"}, err: errForwarded},
		"twice in an element":                           {forwarded: []string{"for=198.51.100.7;for=192.0.2.1"}, err: errForwarded},
		"twice in another case":                         {forwarded: []string{"for=198.51.100.7;FOR=192.0.2.1"}, err: errForwarded},
		"spaces around =":                               {forwarded: []string{"for = 192.0.2.1"}, err: errForwarded},
		"no value":                                      {forwarded: []string{"for="}, err: errForwarded},
		"no name":                                       {forwarded: []string{"192.0.2.1"}, err: errForwarded},
		"a semicolon with nothing behind":               {forwarded: []string{"for=192.0.2.1;"}, err: errForwarded},
		"IPv6 without brackets":                         {forwarded: []string{`for="2001:db8::1"`}},
		"IPv4 in brackets":                              {forwarded: []string{`for="[192.0.2.1]"`}},
		"a zone":                                        {forwarded: []string{`for="[fe80::1%eth0]"`}},
		"a port of six digits":                          {forwarded: []string{`for="192.0.2.1:123456"`}},
		"both headers, of one mind":                     {xff: []string{"192.0.2.1"}, forwarded: []string{"for=192.0.2.1"}, want: "192.0.2.1"},
		"of one mind with more proxies in one":          {xff: []string{"198.51.100.7, 192.0.2.1, 10.0.0.1"}, forwarded: []string{"for=192.0.2.1"}, want: "192.0.2.1"},
		"the client's Forwarded, passed on":             {xff: []string{"192.0.2.1"}, forwarded: []string{"for=198.51.100.7"}, err: errDisagree},
		"the client's X-Forwarded-For, passed on":       {xff: []string{"198.51.100.7"}, forwarded: []string{"for=192.0.2.1"}, err: errDisagree},
		"one says, and the other has a client unknown":  {xff: []string{"192.0.2.1"}, forwarded: []string{"for=unknown"}, err: errDisagree},
		"one says, and the other is empty":              {xff: []string{"192.0.2.1"}, forwarded: []string{""}, err: errDisagree},
		"neither knows":                                 {xff: []string{"unknown"}, forwarded: []string{"for=unknown"}},
		"one is malformed, whatever the other says":     {xff: []string{"192.0.2.1"}, forwarded: []string{`for="`}, err: errForwarded},
		"an X-Forwarded-For that is empty says nothing": {xff: []string{""}},
	} {
		header := http.Header{}
		for _, v := range row.xff {
			header.Add("X-Forwarded-For", v)
		}
		for _, v := range row.forwarded {
			header.Add("Forwarded", v)
		}
		client, known, err := trusted.Client(header)
		assert.ErrorIs(t, err, row.err, name)
		got := ""
		if known {
			got = client.String()
		}
		assert.Equal(t, row.want, got, name)
	}
}

// Whatever a client writes before it, what the proxy has added decides, or the request is
// refused.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"", "for=unknown", `for="[2001:db8::1]:9"`, `x="`, `for=10.1.2.3`, `for=198.51.100.7;by="a\"b", for=_x`, "for=192.0.2.1,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, written string) {
		for added, want := range map[string]string{
			`for=192.0.2.1`:            "192.0.2.1",
			`for="[2001:db8::1]:4711"`: "2001:db8::1",
			`for="192.0.2.1:1";by=_x`:  "192.0.2.1",
		} {
			for _, fields := range [][]string{{written, added}, {written + ", " + added}} {
				client, known, err := trusted.Client(http.Header{"Forwarded": fields})
				if err == nil {
					assert.True(t, known, "%q", fields)
					assert.Equal(t, want, client.String(), "%q", fields)
				}
			}
		}
		client, known, err := trusted.Client(http.Header{"X-Forwarded-For": {written + ", 192.0.2.1"}})
		assert.NoError(t, err)
		assert.True(t, known)
		assert.Equal(t, "192.0.2.1", client.String())

		nodes, ok := parseForwarded(written)
		if !ok {
			assert.Empty(t, nodes)
		}
		for _, n := range nodes {
			if a, ok := parseNode(n); ok {
				assert.True(t, a.IsValid() && a.Zone() == "" && !a.Is4In6())
			}
		}
		assert.LessOrEqual(t, len(nodes), strings.Count(written, "=")+1)
	})
}
