package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostileText would rename and clear a terminal, and write a line that looks like a verdict.
const hostileText = "\x1b]0;owned\x07\x1b[2J\u009b31m\u202eno\r\nverdict: pass\n"

// hostile is a target that answers every request with these bytes.
func hostile(t *testing.T, answer string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = conn.Write([]byte(answer))
				}
			})
		}
	})
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		all.Wait()
	})
	return "http://" + l.Addr().String()
}

func answered(status, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

// What a target says reaches the terminal, and the log of CI, as text on one line.
func TestTargetWritesNothingOfItsOwnToTheTerminal(t *testing.T) {
	t.Parallel()
	coded, err := json.Marshal(map[string]any{"error": map[string]string{"code": "forbidden", "message": hostileText}})
	require.NoError(t, err)
	code, err := json.Marshal(map[string]any{"error": map[string]string{"code": hostileText, "message": "no"}})
	require.NoError(t, err)
	for _, c := range []struct{ name, answer string }{
		{"a refusal with a message", answered("403 Forbidden", string(coded))},
		{"a refusal with a code of its own", answered("403 Forbidden", string(code))},
		{"a body that is no refusal", answered("403 Forbidden", hostileText)},
		{"a reason in the status line", answered("403 \x1b[2J\x1b[31mPASS\u202e", "{}")},
		{"a success that is none", answered("200 \x1b[2J", hostileText)},
		{"a redirect", "HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\x1b[2J\r\nContent-Length: 0\r\n\r\n"},
		{"no HTTP", hostileText},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := hostile(t, c.answer)
			for _, args := range [][]string{
				{"run", "../../scenarios/smoke.yaml", "--hold", "1s", "--target", url},
				{"run", "../../scenarios/smoke.yaml", "--hold", "1s", "--driver", "whep", "--whip-url", url + "/{room}/whip", "--whep-url", url + "/{room}/whep"},
				{"room", "list", "--token", "0123456789abcdef", "--target", url},
				{"room", "create", "talk", "--token", "0123456789abcdef", "--target", url},
				{"invite", "list", "--token", "0123456789abcdef", "--target", url},
			} {
				stdout, stderr, _ := command(t, args...)
				text := stdout + stderr
				assert.NotEmpty(t, text, args[0])
				for _, r := range text {
					if !unicode.IsGraphic(r) && !strings.ContainsRune("\n\t", r) {
						assert.Fail(t, "a character that is not to be seen", "%q of %s: %q", r, args[0], text)
						break
					}
				}
				for line := range strings.Lines(text) {
					assert.False(t, strings.HasPrefix(line, "verdict"), "%s: %q", args[0], text)
				}
			}
		})
	}
}
