package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzCode holds that no text but an invite's own code is good for anything, and
// that none spends it.
func FuzzCode(f *testing.F) {
	s := Memory()
	f.Cleanup(func() { require.NoError(f, s.Close()) })
	made, code, err := s.CreateInvite(f.Context(), Invite{Uses: 1, Expires: noon.Add(time.Hour), Created: noon})
	require.NoError(f, err)
	f.Add(code)
	f.Add(code[1:])
	f.Add(code + "\x00")
	f.Add(made.ID)
	f.Add("")
	f.Add("abcdefghijklmnopqrstuvwxyz")
	f.Fuzz(func(t *testing.T, text string) {
		if text == code {
			return
		}
		_, err := s.Redeem(t.Context(), text, noon)
		require.ErrorIs(t, err, ErrUnavailable)
		_, err = s.PeekInvite(text, noon)
		require.ErrorIs(t, err, ErrUnavailable)
		_, err = s.Login(t.Context(), text, noon, anybody)
		require.Error(t, err)
		left, err := s.PeekInvite(code, noon)
		require.NoError(t, err)
		require.Equal(t, made, left, "it can still be redeemed")
	})
}
