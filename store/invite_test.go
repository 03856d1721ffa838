package store

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
)

// Whatever way invites end, so many are remembered, the youngest, and those that are good
// and those of others are left alone.
func TestEndedInvitesAreForgotten(t *testing.T) {
	for _, c := range []struct {
		name   string
		invite Invite
		end    func(s *Store, made Invite, code string) error
	}{
		{"a host revokes invites again", Invite{Room: "r", Role: room.Listener, Uses: 1, Expires: noon.Add(time.Hour)},
			func(s *Store, made Invite, _ string) error {
				_, err := s.RevokeInvite(t.Context(), made.ID, made.Created)
				return err
			}},
		{"people use them", Invite{Room: "r", Role: room.Listener, Uses: 1, Expires: noon.Add(time.Hour)},
			func(s *Store, made Invite, code string) error {
				_, err := s.Redeem(t.Context(), code, made.Created)
				return err
			}},
		{"they expire at once", Invite{Room: "r", Role: room.Listener, Uses: 1, Expires: noon},
			func(*Store, Invite, string) error { return nil }},
		{"a member revokes invites to the club, and has the budget back", Invite{Inviter: "ada", Uses: 1, Expires: noon.Add(time.Hour)},
			func(s *Store, made Invite, _ string) error {
				_, err := s.RevokeInvite(t.Context(), made.ID, made.Created)
				return err
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Memory()
			defer func() { require.NoError(t, s.Close()) }()
			if c.invite.Inviter != "" {
				ada, _, err := s.CreateAccount(t.Context(), "Ada", "", 2, noon)
				require.NoError(t, err)
				c.invite.Inviter = ada.ID
			}
			create := func(i Invite, at time.Duration) (Invite, string) {
				i.Created = noon.Add(at)
				made, code, err := s.CreateInvite(t.Context(), i)
				require.NoError(t, err)
				return made, code
			}
			other, _ := create(Invite{Room: "other", Uses: 1, Expires: noon}, 0)
			bo, _ := create(Invite{Inviter: "", Uses: 1, Expires: noon}, 0)
			good := c.invite
			good.Expires = noon.Add(time.Hour)
			live, _ := create(good, 0)
			var all []string
			for n := range MaxEndedInvites + 50 {
				made, code := create(c.invite, time.Duration(n)*time.Millisecond)
				require.NoError(t, c.end(s, made, code))
				all = append(all, made.ID)
			}
			last, _ := create(good, time.Minute)
			var kept []string
			for _, i := range s.Invites() {
				kept = append(kept, i.ID)
			}
			for _, id := range []string{other.ID, bo.ID, live.ID, last.ID} {
				assert.Contains(t, kept, id)
				kept = slices.DeleteFunc(kept, func(k string) bool { return k == id })
			}
			assert.Equal(t, all[50:], kept)
		})
	}
}
