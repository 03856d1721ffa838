package driver

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/earshot-audio/earshot/internal/reach"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// ParseTarget parses the http or https URL of a server.
func ParseTarget(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return nil, fmt.Errorf("target: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("target %q is not an http or https URL, like http://127.0.0.1:7080", base)
	}
	return u, nil
}

// HTTPClient returns a client for thousands of short requests to one host. It leaves trust
// as it is.
func HTTPClient(trust *tls.Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = trust.Clone() // the transport adds HTTP/2 to it
	transport.MaxIdleConnsPerHost = 64
	transport.Proxy = nil // the load goes straight to the target
	return &http.Client{Transport: transport}
}

// OnLoopback reports whether a URL's host is the loopback interface of this machine.
func OnLoopback(u *url.URL) bool {
	return !reach.Outside(u.Host)
}

// Refusal returns the error in an HTTP answer: a [wire.Error] if it is one, else the
// status with the beginning of the body.
func Refusal(resp *http.Response, body []byte) error {
	var e wire.ErrorBody
	if json.Unmarshal(body, &e) == nil && e.Error.Code != "" {
		return wire.Error{Code: e.Error.Code, Message: e.Error.Message}
	}
	return refusal{resp.StatusCode, fmt.Sprintf("the server answered %d %s: %q", resp.StatusCode, http.StatusText(resp.StatusCode), strings.TrimSpace(Beginning(string(body))))}
}

// maxSaid is how much of what a server says people are shown, in bytes.
const maxSaid = 200

// Beginning returns the beginning of what a server says, for people to read.
func Beginning(said string) string { return strings.ToValidUTF8(said[:min(len(said), maxSaid)], "") }

// NoAnswer is the error of a request that got no answer: [ErrUnreachable] if it did not
// even get a connection. A server that takes a request and ends the connection can be
// reached.
func NoAnswer(err error) error {
	var resolve *net.DNSError
	var connect *net.OpError
	if errors.As(err, &resolve) || errors.As(err, &connect) && connect.Op == "dial" {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the server ended the connection without an answer: %w", err)
	}
	return fmt.Errorf("the server gave no answer: %w", err)
}

// A refusal is an HTTP answer with an error status.
type refusal struct {
	status int
	text   string
}

// Declined returns the error of a server that says no in another way than by HTTP.
func Declined(text string) error { return refusal{text: text} }

// RefusedWith reports whether an error is an HTTP answer with a status.
func RefusedWith(err error, status int) bool {
	var answer refusal
	return errors.As(err, &answer) && answer.status == status
}

// Error implements error.
func (r refusal) Error() string { return r.text }

// Refused reports whether an error is the server's answer that somebody can't come in,
// and not something that went wrong on the way or took too long.
func Refused(err error) bool {
	var answer refusal
	if errors.As(err, &answer) {
		return answer.status != http.StatusRequestTimeout
	}
	var coded wire.Error
	return errors.As(err, &coded)
}

// Forgotten reports whether an error is the answer of an earshot server that it does not know, or
// no longer knows, what was asked for: a session that is over, for example.
func Forgotten(err error) bool {
	var coded wire.Error
	return errors.As(err, &coded) && coded.Code == wire.CodeNotFound
}
