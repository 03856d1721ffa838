package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// A flag's number in another form is refused before anything starts, by every command.
func TestFlagsTakeDecimalNumbersAlone(t *testing.T) {
	for _, args := range [][]string{
		{"run", "smoke", "--listeners", "010"},
		{"run", "smoke", "--seed=0x10"},
		{"run", "smoke", "--repeat", "1_0"},
		{"capacity", "smoke", "--vary", "listeners", "--from", "01", "--to", "20"},
		{"room", "create", "--capacity", "0b11"},
		{"run", "smoke", "--hold", "010s"},
		{"capacity", "smoke", "--vary", "listeners", "--from", "1", "--to", "20", "--hold", "1m05s"},
		{"worker", "--join", "nats://x@127.0.0.1:1", "--wait", "00s"},
		{"invite", "create", "--ttl", "01h"},
	} {
		var out, errors bytes.Buffer
		err := run(t.Context(), args, &out, &errors)
		require.Error(t, err, args)
		assert.Equal(t, cli.ExitUsage, exitCode(err), args)
		assert.Contains(t, errors.String(), "it is no decimal number", args)
		assert.Contains(t, errors.String(), "--", "%v: the flag is named", args)
	}
}

func TestFlagsNeedAUnitOfTime(t *testing.T) {
	_, stderr, code := command(t, "run", "smoke", "--hold", "10")
	assert.Equal(t, cli.ExitUsage, code)
	assert.Contains(t, stderr, `"10" for "--hold" flag: it has no unit: write it like 10s`)
}

// What run would warn of, the check warns of, with its place.
func TestTheCheckWarns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "panel.yaml")
	require.NoError(t, os.WriteFile(path, []byte(`name: a large panel
hold: 2s
room: {capacity: 1}
cast:
  - {role: speaker, count: 25, audio: builtin:speech}
  - {role: listener, count: 2}
`), 0o600))
	var out, errors bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"scenario", "check", path}, &out, &errors))
	assert.Contains(t, out.String(), "✓")
	assert.Contains(t, errors.String(), path+":5:28: with these, 25 people are cast for the stage, and a room of earshot's server has 20 places")
	assert.Contains(t, errors.String(), path+":3:18: capacity is 1 and 2 listeners are cast")
}
