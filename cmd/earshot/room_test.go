package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/operator"
	"github.com/earshot-audio/earshot/internal/secrets"
)

// A scrub replaces what differs between runs: ids by their order of appearance, times,
// tokens and ports.
type scrub map[string]string

var (
	idPattern    = regexp.MustCompile(`\b[a-z2-7]{26,32}\b`)
	timePattern  = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`)
	tokenPattern = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)
	portPattern  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

func (s scrub) text(text string) string {
	text = tokenPattern.ReplaceAllString(text, "TOKEN")
	text = timePattern.ReplaceAllString(text, "TIME")
	text = portPattern.ReplaceAllString(text, "127.0.0.1:PORT")
	return idPattern.ReplaceAllStringFunc(text, func(id string) string {
		if s[id] == "" {
			// As long as the id, so that the columns stay as they are.
			s[id] = fmt.Sprintf("%-*s", len(id), fmt.Sprintf("<%d>", len(s)+1))
			s[id] = strings.ReplaceAll(s[id], " ", "-")
		}
		return s[id]
	})
}

// The operator's commands against a real server, as they look on a terminal.
func TestOperatorCommandsOutput(t *testing.T) {
	data := t.TempDir()
	url, stop := served(t, "--data", data)
	defer func() { assert.Zero(t, stop()) }()
	var seen strings.Builder
	known := scrub{}
	do := func(args ...string) string {
		t.Helper()
		stdout, stderr, code := command(t, append(args, "--target", url, "--data", data)...)
		fmt.Fprintf(&seen, "$ earshot %s\n%s", known.text(strings.Join(args, " ")), known.text(strings.ReplaceAll(stdout+stderr, data, "DATA")))
		if code != 0 {
			fmt.Fprintf(&seen, "(exit code %d)\n", code)
		}
		seen.WriteString("\n")
		return stdout
	}
	field := func(text, name string) string {
		t.Helper()
		for line := range strings.Lines(text) {
			if rest, ok := strings.CutPrefix(line, name); ok {
				return strings.TrimSpace(rest)
			}
		}
		t.Fatalf("no %s in %s", name, text)
		return ""
	}

	// The server makes the first member's link once it has begun.
	token, err := secrets.Load(filepath.Join(data, cli.OperatorTokenFile))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, invites := get(t, http.MethodGet, url+"/api/invites", token, "")
		return strings.Contains(invites, `"invite":`)
	}, time.Minute, 10*time.Millisecond)

	do("room", "list")
	room := field(do("room", "create", "The Lobby", "--visibility", "closed", "--capacity", "50"), "room")
	code := field(do("invite", "create", room, "--role", "speaker", "--for", "Bo", "--ttl", "1h"), "code")
	club := field(do("invite", "create", "--for", "Ada"), "invite")
	status, body := get(t, http.MethodPost, url+"/api/invites/"+code+"/redeem", "", `{"name":"Bo"}`)
	require.Equal(t, http.StatusOK, status, body)
	do("invite", "list")
	do("invite", "revoke", club)
	do("invite", "list", room)
	do("room", "list")
	do("room", "show", room)
	do("room", "show", "elsewhere")
	do("room", "kick", room, "nobody")
	do("room", "mute", room, "nobody")
	do("room", "end", room)
	do("room", "list", "--json")
	do("audit")
	golden(t, "operator.txt", seen.String())
}

func TestOperatorCommandsJSON(t *testing.T) {
	data := t.TempDir()
	url, stop := served(t, "--data", data)
	defer func() { assert.Zero(t, stop()) }()
	do := func(into any, args ...string) {
		t.Helper()
		stdout, stderr, code := command(t, append(args, "--json", "--target", url, "--data", data)...)
		require.Zero(t, code, stderr)
		require.NoError(t, json.Unmarshal([]byte(stdout), into), stdout)
	}
	var made, shown operator.RoomInfo
	do(&made, "room", "create", "Lobby", "--slots", "2", "--audience-hold", "40ms")
	assert.NotEmpty(t, made.HostToken)
	var invite operator.InviteInfo
	do(&invite, "invite", "create", made.Room, "--uses", "3")
	assert.Equal(t, url+"/#/i/"+invite.Code, invite.URL)
	do(&shown, "room", "show", made.Room)
	assert.Equal(t, 2, shown.Slots)
	assert.EqualValues(t, 40, shown.AudienceHold)
	require.Len(t, shown.Invites, 1)
	assert.Equal(t, invite.Invite, shown.Invites[0].Invite)
	assert.Empty(t, shown.Invites[0].Code)
	require.Len(t, shown.Audit, 2)
	assert.Equal(t, []string{"room.create", "invite.create"}, []string{shown.Audit[0].Action, shown.Audit[1].Action})
	done := map[string]string{}
	do(&done, "invite", "revoke", invite.Code)
	do(&done, "room", "end", made.Room)
	assert.Equal(t, map[string]string{"revoked": invite.Code, "ended": made.Room}, done)

	_, stderr, code := command(t, "room", "list", "--target", url, "--token", "wrong")
	assert.Equal(t, cli.ExitCouldNotRun, code)
	assert.Contains(t, stderr, "unauthorized")
	_, stderr, code = command(t, "room", "list", "--target", "http://127.0.0.1:1", "--token", "x")
	assert.Equal(t, cli.ExitCouldNotRun, code)
	assert.Contains(t, stderr, "is a server running there?")
}
