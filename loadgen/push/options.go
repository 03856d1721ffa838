package push

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/internal/printable"
	"github.com/earshot-audio/earshot/internal/urltext"
)

// Options are what receivers of all kinds are told.
type Options struct {
	// Labels are on everything that is sent, beside the service's name (job, or service.name)
	// and the machine's (instance, or service.instance.id), which they can replace.
	Labels map[string]string
	// Instance is the machine's name, and Version the program's.
	Instance, Version string
	// Token goes to a receiver of remote write as bearer token; "" is none.
	Token string
	// TLS has the certificates that are trusted; nil means those of the system.
	TLS *tls.Config
}

// service is what sends the figures.
const service = "earshot"

// labels are the labels of Prometheus.
func (o Options) labels() map[string]string {
	all := map[string]string{"job": service, "instance": o.Instance}
	maps.Copy(all, o.Labels)
	return all
}

func (o Options) roundTripper() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = o.TLS.Clone()
	return t
}

// labelNames matches the names of labels (Prometheus' data model), without those that begin
// with two underscores, which are Prometheus' own.
var labelNames = regexp.MustCompile(`^([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_]*$`)

// ParseLabel reads name=value.
func ParseLabel(text string) (name, value string, err error) {
	name, value, found := strings.Cut(text, "=")
	switch {
	case !found:
		return "", "", fmt.Errorf("%q is not of the form NAME=VALUE", text)
	case !labelNames.MatchString(name):
		return "", "", fmt.Errorf("%q is no name of a label: it has letters, digits and _, begins with no digit, and not with __", name)
	case value == "":
		return "", "", fmt.Errorf("%s has no value", name)
	}
	return name, value, nil
}

// parseURL reads the URL of a receiver; one without a scheme has the first.
func parseURL(address string, schemes ...string) (*url.URL, error) {
	if !strings.Contains(address, "://") {
		address = schemes[0] + "://" + address
	}
	where, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, brief(err)
	case !slices.Contains(schemes, where.Scheme):
		return nil, fmt.Errorf("%s has the scheme %s, and can have %s", urltext.Safe(address), where.Scheme, strings.Join(schemes, ", "))
	case where.Hostname() == "":
		return nil, fmt.Errorf("%s names no host", urltext.Safe(address))
	case where.Fragment != "":
		return nil, fmt.Errorf("%s has a fragment, which is never sent", urltext.Safe(address))
	}
	return where, nil
}

// maxAnswer is how much of a receiver's answer is read, in bytes.
const maxAnswer = 64 << 10

// A transport adds what every request has, and bounds the answers.
type transport struct {
	*http.Transport
	token, version string
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", service+"/"+t.version)
	if t.token != "" {
		r.Header.Set("Authorization", "Bearer "+t.token)
	}
	resp, err := t.Transport.RoundTrip(r)
	if err == nil {
		resp.Body = bounded{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

type bounded struct {
	io.Reader
	io.Closer
}

// longestError is how much of an error is shown, in bytes: receivers answer with whole pages.
const longestError = 300

// brief is an error in one line, without secrets.
func brief(err error) error {
	text := strings.Join(strings.Fields(printable.Lines(urltext.Scrub(err.Error()))), " ")
	if len(text) > longestError {
		text = strings.ToValidUTF8(text[:longestError], "") + " …"
	}
	return errors.New(text)
}
