package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
)

// planned is a plan of an account.
func planned(id, owner string, starts time.Time) Plan {
	return Plan{ID: id, Title: "The " + id, Owner: owner, Visibility: room.MembersOnly, Starts: starts, Ends: starts.Add(time.Hour), Created: noon}
}

// TestPlansAreKept keeps plans over a restart, the soonest first and with their offset
// from UTC, and removes those that are past.
func TestPlansAreKept(t *testing.T) {
	lasting(t, func(t *testing.T, p place) {
		s := p.open()
		berlin := time.FixedZone("", 2*60*60)
		late, soon := planned("late", "ada", noon.Add(5*time.Hour)), planned("soon", "bo", noon.Add(time.Hour).In(berlin))
		for _, p := range []Plan{late, soon, planned("past", "ada", noon.Add(-2*time.Hour))} {
			_, err := s.PutPlan(t.Context(), p)
			require.NoError(t, err)
		}
		code, err := s.NewHostCode(t.Context(), "soon")
		require.NoError(t, err)
		require.NoError(t, s.RemovePastPlans(t.Context(), noon))
		require.NoError(t, s.Close())

		s = p.open()
		defer func() { assert.NoError(t, s.Close()) }()
		plans := s.Plans()
		require.Len(t, plans, 2)
		assert.Equal(t, late, plans[1])
		assert.True(t, soon.Starts.Equal(plans[0].Starts))
		assert.Equal(t, "15:00 13:00", plans[0].Starts.Format("15:04 ")+plans[0].Starts.UTC().Format("15:04"))
		assert.NotContains(t, plans[0].HostCode, code, "a code is stored as its digest")
		assert.True(t, plans[0].TakesHostCode(code))
		assert.False(t, plans[0].TakesHostCode(""))
		assert.False(t, plans[1].TakesHostCode(""), "of a plan that has none")
		_, err = s.Plan(t.Context(), "past")
		assert.ErrorIs(t, err, ErrNotFound)
	})
}

// TestDeletedAccountHasNoPlans deletes an account: its plans are gone, and so is its name
// from those that it was to host with others.
func TestDeletedAccountHasNoPlans(t *testing.T) {
	every(t, func(t *testing.T, s *Store) {
		ada, _, err := s.CreateAccount(t.Context(), "Ada", "", 2, noon)
		require.NoError(t, err)
		bo, _, err := s.CreateAccount(t.Context(), "Bo", "", 2, noon)
		require.NoError(t, err)
		_, err = s.PutPlan(t.Context(), planned("hers", ada.ID, noon))
		require.NoError(t, err)
		_, err = s.PutPlan(t.Context(), planned("his", bo.ID, noon))
		require.NoError(t, err)
		_, err = s.ChangePlan(t.Context(), "his", func(p Plan) (Plan, error) {
			p.Hosts = append(p.Hosts, ada.ID)
			return p, nil
		})
		require.NoError(t, err)
		found, err := s.AccountRecords(t.Context(), ada.ID)
		require.NoError(t, err)
		assert.Len(t, found.Plans, 2)

		require.NoError(t, s.DeleteAccount(t.Context(), ada.ID, func(string) bool { return false }))
		plans := s.Plans()
		require.Len(t, plans, 1)
		assert.Equal(t, bo.ID, plans[0].Owner)
		assert.Empty(t, plans[0].Hosts)
	})
}
