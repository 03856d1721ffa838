package operator

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/internal/reach"
	"github.com/earshot-audio/earshot/internal/table"
)

const (
	// timeout is how long the server may take to answer a request.
	timeout = 30 * time.Second
	// maxResponse in bytes is about twice the member list of a full room.
	maxResponse = 64 << 20
)

// A Client makes requests as the operator.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New makes a client of the server at an http or https URL, or at a host and port. roots may be nil.
func New(target, token string, roots *tls.Config) (*Client, error) {
	base, err := url.Parse(reach.WithScheme(target))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%q is not an http or https URL", target)
	}
	return &Client{base: base, token: token, http: &http.Client{Timeout: timeout, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: roots.Clone(), DisableKeepAlives: true,
	}}}, nil
}

// Base is the server's URL.
func (c *Client) Base() *url.URL { return c.base }

// Call makes one request. A body that is not nil is sent as JSON, and the JSON of
// the response is decoded into a result that is not nil. path follows the base URL
// and is escaped. A response other than 2xx is an error with the server's message.
func (c *Client) Call(ctx context.Context, method, path string, body, result any) error {
	var send io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.base.String(), "/")+path, send)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w; is a server running there?", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("read the server's response: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return responseError(resp.StatusCode, data)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(data, result); err != nil {
		return fmt.Errorf("the response is not an earshot server's: %w", err)
	}
	return nil
}

// responseError makes an error of a response other than 2xx.
func responseError(status int, data []byte) error {
	var body struct {
		Error struct{ Code, Message string } `json:"error"`
	}
	if json.Unmarshal(data, &body) != nil || body.Error.Code == "" {
		return fmt.Errorf("the server answered %d %s", status, http.StatusText(status))
	}
	return errors.New("the server refused: " + table.Printable(body.Error.Message+" ("+body.Error.Code+")"))
}

// RoomPath is the path of a room, or of something in it.
func RoomPath(room string, more ...string) string {
	path := "/api/rooms/" + url.PathEscape(room)
	for _, m := range more {
		path += "/" + url.PathEscape(m)
	}
	return path
}

// InvitePath is the path of an invite, by its code or id.
func InvitePath(invite string) string { return "/api/invites/" + url.PathEscape(invite) }
