package main

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
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	// apiWait is how long a server may take to answer a command.
	apiWait = 30 * time.Second
	// longestAnswer in bytes: a full room's members, twice over.
	longestAnswer = 64 << 20
)

// operatorFlags say which server the operator's commands are for.
type operatorFlags struct {
	target, token, data, ca string
	json                    bool
}

// bind adds the flags to a command and to those under it.
func (f *operatorFlags) bind(c *cobra.Command) {
	flags := c.PersistentFlags()
	flags.StringVar(&f.target, "target", "http://127.0.0.1:7080", "`URL` of the server")
	flags.StringVar(&f.token, "token", os.Getenv("EARSHOT_OPERATOR_TOKEN"), "the operator's `token` (or $EARSHOT_OPERATOR_TOKEN; default: the one kept under --data)")
	flags.Lookup("token").DefValue = ""
	flags.StringVar(&f.data, "data", "./earshot-data", "the server's data `directory`, for its operator's token")
	flags.StringVar(&f.ca, "ca", "", "`file` of certificate authorities (PEM) to trust beside the system's")
	flags.BoolVar(&f.json, "json", false, "print the server's answer as it is, for scripts")
}

// An api speaks to a server as its operator.
type api struct {
	base   *url.URL
	token  string
	client *http.Client
	out    io.Writer
	json   bool
}

// api checks the flags and makes what speaks to the server.
func (f *operatorFlags) api(c *cobra.Command) (*api, error) {
	base, err := url.Parse(f.target)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, usage(fmt.Errorf("--target %q is not an http or https URL", f.target))
	}
	trust, err := runFlags{ca: f.ca}.trust()
	if err != nil {
		return nil, usage(err)
	}
	token := f.token
	if token == "" {
		path := filepath.Join(f.data, operatorFile)
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, usage(fmt.Errorf("no operator's token: give --token, or --data with the server's data directory: %w", err))
		}
		token = strings.TrimSpace(string(data))
	}
	return &api{base: base, token: token, client: operatorClient(trust), out: c.OutOrStdout(), json: f.json}, nil
}

func operatorClient(trust *tls.Config) *http.Client {
	return &http.Client{Timeout: apiWait, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, DisableKeepAlives: true,
	}}
}

// call makes one request. The answer is decoded into the given value, if there is
// one. path is what follows the base, in its escaped form.
func (a *api) call(ctx context.Context, method, path string, body, into any) error {
	var send io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.base.String(), "/")+path, send)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w; is a server running there?", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	if err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return refusal(resp.Status, data)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("the server's answer is not an earshot server's: %w", err)
	}
	return nil
}

// refusal makes an error of a server's.
func refusal(status string, data []byte) error {
	var body struct {
		Error struct{ Code, Message string } `json:"error"`
	}
	if json.Unmarshal(data, &body) != nil || body.Error.Code == "" {
		return fmt.Errorf("the server answered %s", status)
	}
	return errors.New("the server refused: " + body.Error.Message + " (" + body.Error.Code + ")")
}

// raw prints a value as JSON.
func (a *api) raw(value any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

// operate wraps what a command of the operator's does.
func (f *operatorFlags) operate(do func(ctx context.Context, a *api, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		a, err := f.api(c)
		if err != nil {
			return err
		}
		return do(c.Context(), a, args)
	}
}
