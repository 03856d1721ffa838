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
	self, err := os.Executable()
	require.NoError(t, err)
	wrapper := fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\" --target '%s' --data '%s'\n", self, url, data)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "earshot"), []byte(wrapper), 0o755))

	cmd := exec.Command("sh", "-eux", "-c", script.String())
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), asCommand+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, want := range []string{"/#/i/", "as speaker, uses 1, for", "0 of 500", "revoked: ", "The Lobby", "ended: ", "room.end"} {
		assert.Contains(t, string(out), want)
	}
}
