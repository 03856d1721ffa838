//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/secrets"
)

// A shell runs the commands of docs/invites.md as they are written. A wrapper named
// earshot adds the address of the test's server.
func TestInvitesDocumentCommandsRun(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/invites.md")
	require.NoError(t, err)
	var script strings.Builder
	for _, block := range strings.Split(string(text), "```sh\n")[1:] {
		commands, _, ok := strings.Cut(block, "```")
		require.True(t, ok)
		script.WriteString(commands)
	}
	require.Equal(t, 11, strings.Count(script.String(), "\n"))

	data, bin := t.TempDir(), t.TempDir()
	url, stop := served(t, "--data", data)
	defer func() { assert.Zero(t, stop()) }()
	wrapper := fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\" --target '%s' --data '%s'\n", program(t), url, data)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "earshot"), []byte(wrapper), 0o755))

	cmd := exec.Command("sh", "-eux", "-c", script.String())
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), asCommand+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, want := range []string{"/#/i/", "as speaker, uses 1, for", "0 of 500", "revoked: ", "The Lobby", "ended: ", "room.end"} {
		assert.Contains(t, string(out), want)
	}
}

// A shell runs the commands that "room create" says come next, as they are printed, for a server
// that is neither at the usual address nor keeps its secrets in the usual place.
func TestRoomCreateSaysCommandsThatRun(t *testing.T) {
	t.Parallel()
	data, bin := filepath.Join(t.TempDir(), "the club's data"), t.TempDir()
	url, stop := served(t, "--data", data)
	defer func() { assert.Zero(t, stop()) }()
	require.NoError(t, os.Symlink(program(t), filepath.Join(bin, "earshot")))

	stdout, stderr, code := command(t, "room", "create", "The Lobby", "--slots", "1", "--target", url, "--data", data)
	require.Zero(t, code, stderr)
	var script strings.Builder
	for line := range strings.Lines(stdout) {
		if _, next, ok := strings.Cut(line, "  earshot "); ok {
			script.WriteString("earshot " + next)
		}
	}
	require.Equal(t, 3, strings.Count(script.String(), "\n"), stdout)
	cmd := exec.Command("sh", "-eu", "-c", script.String())
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), asCommand+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, want := range []string{"as host, uses 1", "as listener, uses 100", "The Lobby", "1 slot, "} {
		assert.Contains(t, string(out), want)
	}

	token, err := secrets.Load(filepath.Join(data, cli.OperatorTokenFile))
	require.NoError(t, err)
	stdout, stderr, code = command(t, "room", "create", "Backstage", "--target", url, "--token", token)
	require.Zero(t, code, stderr)
	assert.Contains(t, stdout, "--role host --target "+url+" --token …", "a secret is not repeated")
}
