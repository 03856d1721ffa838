package driver

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/earshot-audio/earshot/signaling/wire"
)

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

// httpClient is a client for thousands of short requests to one host.
func HTTPClient(trust *tls.Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = trust
	transport.MaxIdleConnsPerHost = 64
	transport.Proxy = nil // a load goes to the target and nowhere else
	return &http.Client{Transport: transport}
}

// onLoopback reports whether a URL's host is this machine's loopback.
func OnLoopback(u *url.URL) bool {
	host := u.Hostname()
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// refusal is the error that an HTTP answer holds.
func Refusal(resp *http.Response, body []byte) error {
	var e wire.ErrorBody
	if json.Unmarshal(body, &e) == nil && e.Error.Code != "" {
		return wire.Error{Code: e.Error.Code, Message: e.Error.Message}
	}
	text := strings.TrimSpace(string(body[:min(len(body), 200)]))
	return fmt.Errorf("the server answered %s: %q", resp.Status, text)
}
