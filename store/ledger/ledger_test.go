package ledger

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLedgerIsRewrittenWhenItIsLong writes one record many times.
func TestLedgerIsRewrittenWhenItIsLong(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "jetstream"), 0o700))
	l, err := New(dir, map[string]Mark{})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	l.lines = slack
	for n := range uint64(100) {
		require.NoError(t, l.Note("rooms", "x", Mark{Kind: Written, Revision: n + 1, Sum: uint32(n)}))
	}
	require.NoError(t, l.Note("rooms", "y", Mark{Kind: Removing, Revision: 1}))
	require.NoError(t, l.Note("rooms", "y", Mark{Kind: Removed, Revision: 1}))
	noted, damaged, err := Read(dir)
	require.NoError(t, err)
	assert.Zero(t, damaged)
	assert.Equal(t, Mark{Kind: Written, Revision: 100, Sum: 99}, noted["rooms x"])
	assert.Less(t, l.lines, 200)
}
