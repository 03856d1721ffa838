package store

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A caller that gives up in the middle of a write leaves a store that memory and disk
// agree on: the next start must not take it for damaged.
func TestWriteThatItsCallerGivesUpIsNoDamage(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	require.NoError(t, err)
	now := time.Now()
	for i := range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(time.Duration(i)*time.Microsecond, cancel)
		_, _, _ = s.CreateInvite(ctx, Invite{Room: "a", Uses: 1, Created: now, Expires: now.Add(time.Hour)})
		stop.Stop()
		cancel()
	}
	had := len(s.Invites())
	require.NoError(t, s.Close())
	s, err = Open(t.Context(), Config{Dir: dir})
	require.NoError(t, err)
	assert.Equal(t, had, len(s.Invites()))
	require.NoError(t, s.Close())
}
