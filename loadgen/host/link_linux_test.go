package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBusiestLink(t *testing.T) {
	dir := t.TempDir()
	const head = "Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
	read := func(lines string) map[string]Link {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "proc/net"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "proc/net/dev"), []byte(head+lines), 0o600))
		return linksIn(filepath.Join(dir, "proc"), filepath.Join(dir, "sys"))
	}
	for name, speed := range map[string]string{"eth0": "1000\n", "eth1": "10000\n", "tap0": "-1\n"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "sys", name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "sys", name, "speed"), []byte(speed), 0o600))
	}
	before := read("lo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\neth0: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n" +
		"eth1: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\ntap0: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
	after := read("lo: 999999999999 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\neth0: 1150000000 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n" +
		"eth1: 5 0 0 0 0 0 0 0 2000000000 0 0 0 0 0 0 0\ntap0: 99999999999 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
	busiest, ok := BusiestLink(before, after, 10*time.Second)
	require.True(t, ok)
	assert.Equal(t, LinkLoad{"eth0", 920e6, 1e9}, busiest)
	_, ok = BusiestLink(before, after, 0)
	assert.False(t, ok)
	_, ok = BusiestLink(nil, after, time.Second)
	assert.False(t, ok, "what was there before is not known")
}
