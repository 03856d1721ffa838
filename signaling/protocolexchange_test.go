package signaling

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each block of HTTP exchanges in the document is replayed against a server of its
// own.
func TestProtocolDocumentExchanges(t *testing.T) {
	blocks := readProtocol(t).of("exchange")
	assert.Len(t, blocks, 3)
	for i, text := range blocks {
		t.Run(fmt.Sprint("block ", i), func(t *testing.T) {
			r := replay{t: t, house: closed(t, nil), names: map[string]string{"$operator": operatorToken, "$tomorrow": time.Now().Add(24 * time.Hour).Format(time.RFC3339)}}
			lines := strings.Split(strings.TrimSpace(text), "\n")
			require.Zero(t, len(lines)%2, "a request and an answer each")
			for n := 0; n < len(lines); n += 2 {
				r.exchange(lines[n], lines[n+1])
			}
		})
	}
}

// exchange plays one request: "METHOD PATH [as TOKEN] [BODY]", "STATUS [BODY]".
func (r *replay) exchange(request, answer string) {
	r.t.Helper()
	method, rest, _ := strings.Cut(r.fill(request), " ")
	path, rest, _ := strings.Cut(rest, " ")
	var token string
	if after, ok := strings.CutPrefix(rest, "as "); ok {
		token, rest, _ = strings.Cut(after, " ")
	}
	q, err := http.NewRequest(method, r.house.http.URL+path, strings.NewReader(rest))
	require.NoError(r.t, err)
	if rest != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(q)
	require.NoError(r.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)

	status, shown, _ := strings.Cut(answer, " ")
	require.Equal(r.t, status, fmt.Sprint(response.StatusCode), "%s: %s", request, body)
	if shown == "" {
		require.Empty(r.t, body)
		return
	}
	var want, got any
	require.NoError(r.t, json.Unmarshal([]byte(shown), &want), shown)
	require.NoError(r.t, json.Unmarshal(body, &got))
	names := map[string]string{}
	require.True(r.t, r.fits(want, got, names), "%s\nwas answered with\n%s\ninstead of\n%s", request, body, shown)
	for name, value := range names {
		r.names[name] = value
	}
}

// fill replaces names by their values.
func (r *replay) fill(text string) string {
	for name, value := range r.names {
		text = strings.ReplaceAll(text, name, value)
	}
	return text
}
