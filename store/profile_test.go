package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestProfilesAreKept keeps words and a picture over a restart. A new picture replaces the
// last one, and both go with the account, from those who follow it too.
func TestProfilesAreKept(t *testing.T) {
	lasting(t, func(t *testing.T, p place) {
		s := p.open()
		ada, _, err := s.CreateAccount(t.Context(), "Ada", "", 2, noon)
		require.NoError(t, err)
		bo, _, err := s.CreateAccount(t.Context(), "Bo", "", 2, noon)
		require.NoError(t, err)
		require.ErrorIs(t, s.Follow(t.Context(), bo.ID, ada.ID), ErrNotFound, "she shows nothing of herself")
		_, err = s.SetProfile(t.Context(), ada.ID, nil, new("Radio and tea"))
		require.NoError(t, err)
		first, err := s.SetPicture(t.Context(), ada.ID, []byte("one"))
		require.NoError(t, err)
		second, err := s.SetPicture(t.Context(), ada.ID, []byte("two"))
		require.NoError(t, err)
		_, err = s.Picture(t.Context(), first.Picture)
		require.ErrorIs(t, err, ErrNotFound)
		require.NoError(t, s.Follow(t.Context(), bo.ID, ada.ID))
		require.NoError(t, s.Follow(t.Context(), bo.ID, ada.ID), "once is enough")
		require.ErrorIs(t, s.Follow(t.Context(), ada.ID, ada.ID), ErrNotFound)
		_, err = s.SetPicture(t.Context(), "nobody", []byte("three"))
		require.ErrorIs(t, err, ErrNotFound)
		require.NoError(t, s.Close())

		s = p.open()
		defer func() { assert.NoError(t, s.Close()) }()
		ada, err = s.Account(ada.ID)
		require.NoError(t, err)
		assert.Equal(t, "Radio and tea", ada.About)
		picture, err := s.Picture(t.Context(), second.Picture)
		require.NoError(t, err)
		assert.Equal(t, "two", string(picture))
		bo, err = s.Account(bo.ID)
		require.NoError(t, err)
		assert.Equal(t, []string{ada.ID}, bo.Following)

		require.NoError(t, s.DeleteAccount(t.Context(), ada.ID, func(string) bool { return false }))
		_, err = s.Picture(t.Context(), second.Picture)
		require.ErrorIs(t, err, ErrNotFound)
		bo, err = s.Account(bo.ID)
		require.NoError(t, err)
		assert.Empty(t, bo.Following)
	})
}

func TestFollowingIsBounded(t *testing.T) {
	s := Memory()
	defer func() { assert.NoError(t, s.Close()) }()
	ada, _, err := s.CreateAccount(t.Context(), "Ada", "", 2, noon)
	require.NoError(t, err)
	for n := range MaxFollowing + 1 {
		other, _, err := s.CreateAccount(t.Context(), fmt.Sprint(n), "", 2, noon)
		require.NoError(t, err)
		_, err = s.SetProfile(t.Context(), other.ID, nil, new("x"))
		require.NoError(t, err)
		if err = s.Follow(t.Context(), ada.ID, other.ID); n < MaxFollowing {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, ErrFollowing)
			require.NoError(t, s.Unfollow(t.Context(), ada.ID, other.ID), "whom nobody follows")
		}
	}
}
