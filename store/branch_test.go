package store

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/room"
)

// account makes one that another brought in.
func account(t require.TestingT, s *Store, inviter string) string {
	a, _, err := s.CreateAccount(context.Background(), "x", inviter, 2, time.Now())
	require.NoError(t, err)
	return a.ID
}

func TestLineageIsWhoBroughtAnAccountIn(t *testing.T) {
	s := Memory()
	defer func() { assert.NoError(t, s.Close()) }()
	ada := account(t, s, "")
	bo := account(t, s, ada)
	cy := account(t, s, bo)
	lineage := func() (ids []string, whole bool) {
		all, whole := s.Lineage(cy)
		for _, a := range all {
			ids = append(ids, a.ID)
		}
		return ids, whole
	}
	ids, whole := lineage()
	assert.Equal(t, []string{cy, bo, ada}, ids)
	assert.True(t, whole)

	require.NoError(t, s.DeleteAccount(context.Background(), bo, func(string) bool { return false }))
	ids, whole = lineage()
	assert.Equal(t, []string{cy, ada}, ids, "whoever brought Bo in has brought in Cy now")
	assert.True(t, whole)

	state := room.State{Config: room.Config{Name: "x"}, Blocks: []room.Block{{Identity: room.Identity{Account: ada}, At: time.Now().Add(-time.Hour)}}}
	require.NoError(t, s.PutRoom(state))
	require.NoError(t, s.DeleteAccount(context.Background(), ada, func(string) bool { return true }))
	ids, whole = lineage()
	assert.Equal(t, []string{cy}, ids, "who brought Ada in has brought in Cy now: the operator")
	assert.True(t, whole)
	kept, err := s.Account(cy)
	require.NoError(t, err)
	assert.Equal(t, ada, kept.Sponsors, "a room that had banned Ada knows whom she brought in after it")
}

// Whatever tree of accounts somebody makes below their own, all of them together get no more than half of
// what whoever invited them may have, and everybody gets what a branch may always have, if there is it.
func TestManyAccountsShareWhatOneBranchMayHave(t *testing.T) {
	const ceiling, floor = 64, 3
	rapid.Check(t, func(rt *rapid.T) {
		s := Memory()
		defer func() { assert.NoError(rt, s.Close()) }()
		all := []string{account(rt, s, ""), account(rt, s, "")}
		inviter, depth := map[string]string{}, map[string]int{all[0]: 1, all[1]: 1}
		for range rapid.IntRange(0, 30).Draw(rt, "accounts") {
			by := rapid.SampledFrom(all).Draw(rt, "by")
			id := account(rt, s, by)
			inviter[id], depth[id] = by, depth[by]+1
			all = append(all, id)
		}
		have := map[string]int{}
		held := func(add func(string, int)) {
			for id, n := range have {
				add(id, n)
			}
		}
		branch := func(of string) (n int) {
			for id, has := range have {
				for ; id != ""; id = inviter[id] {
					if id == of {
						n += has
						break
					}
				}
			}
			return n
		}
		for range rapid.IntRange(0, 150).Draw(rt, "rooms") {
			id := rapid.SampledFrom(all).Draw(rt, "owner")
			room := true
			for by := id; by != ""; by = inviter[by] {
				room = room && branch(by) < max(floor, ceiling>>depth[by])
			}
			_, full := s.Full(id, ceiling, floor, held)
			require.Equal(rt, room, !full, "%v", have)
			if room {
				have[id]++
			}
		}
	})
}

func BenchmarkBranches(b *testing.B) {
	s := Memory()
	all := []string{account(b, s, "")}
	for i := range 10_000 {
		all = append(all, account(b, s, all[i/2]))
	}
	for b.Loop() {
		_, full := s.Full(all[len(all)-1], 1_000_000, 100, s.Members)
		if full {
			b.Fatal("full")
		}
	}
}
