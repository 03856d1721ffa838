package room

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAudiencePage(t *testing.T) {
	r, err := New(Config{Name: "lobby", Capacity: 4, Halls: 2}, at(0))
	require.NoError(t, err)
	for _, n := range []JoinRequest{
		{ID: "h", Name: "Ada", Role: Host, Identity: Identity{Account: "ada"}}, {ID: "s", Name: "Bo", Role: Speaker},
		{ID: "1", Name: "Ärne", Role: Listener}, {ID: "2", Name: "Bob", Role: Listener}, {ID: "3", Name: "bobby", Role: Listener},
		{ID: "4", Name: "Cy", Role: Listener, Identity: Identity{Account: "cy"}}, {ID: "5", Name: "Dee Bo", Role: Listener, Identity: Identity{Account: "dee"}},
	} {
		do(t)(r.Join(n, at(1)))
	}
	for _, row := range []struct {
		name  string
		by    MemberID
		query AudienceQuery
		want  []MemberID
		count int
		err   error
	}{
		{"a host sees all halls", "h", AudienceQuery{Limit: 9}, []MemberID{"1", "2", "3", "4", "5"}, 5, nil},
		{"so does the operator", Operator, AudienceQuery{Limit: 9}, []MemberID{"1", "2", "3", "4", "5"}, 5, nil},
		{"so does a speaker", "s", AudienceQuery{Limit: 9}, []MemberID{"1", "2", "3", "4", "5"}, 5, nil},
		{"a listener sees their own hall", "2", AudienceQuery{Limit: 9}, []MemberID{"1", "2", "3", "4"}, 4, nil},
		{"and those of the overflow hall theirs", "5", AudienceQuery{Limit: 9}, []MemberID{"5"}, 1, nil},
		{"a page has so many, and the number of all", "4", AudienceQuery{Limit: 2}, []MemberID{"1", "2"}, 4, nil},
		{"a host searches a part of the names in any case", "h", AudienceQuery{Search: "BO", Limit: 9}, []MemberID{"2", "3", "5"}, 3, nil},
		{"in any script", "h", AudienceQuery{Search: "äR", Limit: 9}, []MemberID{"1"}, 1, nil},
		{"a search counts those on other pages", "h", AudienceQuery{Search: "bo", Limit: 1}, []MemberID{"2"}, 3, nil},
		{"what nobody is called", "h", AudienceQuery{Search: "zz", Limit: 9}, []MemberID{}, 0, nil},
		{"a speaker does not search", "s", AudienceQuery{Search: "bo", Limit: 9}, nil, 0, ErrForbidden},
		{"a listener does not search", "1", AudienceQuery{Search: "bo", Limit: 9}, nil, 0, ErrForbidden},
		{"or look at other pages", "1", AudienceQuery{From: 3, Limit: 9}, nil, 0, ErrForbidden},
		{"a listener asks for accounts, in all halls", "1", AudienceQuery{Accounts: []string{"dee", "none", "cy"}, Limit: 9}, []MemberID{"4", "5"}, 2, nil},
		{"of which a page has so many", "1", AudienceQuery{Accounts: []string{"dee", "cy"}, Limit: 1}, []MemberID{"4"}, 2, nil},
		{"who is on stage is not in the audience", "1", AudienceQuery{Accounts: []string{"ada"}, Limit: 9}, []MemberID{}, 0, nil},
		{"no account is nobody's", "1", AudienceQuery{Accounts: []string{}, Limit: 9}, []MemberID{}, 0, nil},
		{"who is not in the room sees nobody", "x", AudienceQuery{Limit: 9}, nil, 0, ErrNotMember},
	} {
		t.Run(row.name, func(t *testing.T) {
			page, err := r.AudiencePage(row.by, row.query)
			require.ErrorIs(t, err, row.err)
			if err != nil {
				return
			}
			assert.Equal(t, row.want, ids(page.Members))
			assert.Equal(t, row.count, page.Count)
		})
	}
}

// Nobody who stays is left out or shown twice, whoever leaves between two pages.
func TestAudiencePagesFollowOneAnother(t *testing.T) {
	r, err := New(Config{Name: "lobby", Capacity: 100}, at(0))
	require.NoError(t, err)
	for i := range 20 {
		do(t)(r.Join(JoinRequest{ID: MemberID(fmt.Sprint(i)), Role: Listener}, at(1)))
	}
	seen := map[MemberID]int{}
	query := AudienceQuery{Limit: 6}
	for pages := 1; ; pages++ {
		page, err := r.AudiencePage(Operator, query)
		require.NoError(t, err)
		for _, m := range page.Members {
			seen[m.ID]++
		}
		if query.From = page.Next; page.Next == 0 {
			assert.Equal(t, 4, pages)
			break
		}
		do(t)(r.Leave(MemberID(fmt.Sprint(pages)), at(2))) // one of the first page
	}
	for i := range 20 {
		assert.Equal(t, 1, seen[MemberID(fmt.Sprint(i))], "%d", i)
	}
}

// BenchmarkAudiencePage is what a look at an audience of 5,000 costs the room, and a
// host's search for a name that nobody has.
func BenchmarkAudiencePage(b *testing.B) {
	r, err := New(Config{Name: "lobby", Capacity: 5000}, at(0))
	require.NoError(b, err)
	for i := range 5000 {
		_, err := r.Join(JoinRequest{ID: MemberID(fmt.Sprint(i)), Name: fmt.Sprint("Listener ", i), Role: Listener}, at(1))
		require.NoError(b, err)
	}
	for name, query := range map[string]AudienceQuery{"first page": {Limit: 60}, "search": {Search: "zz", Limit: 60}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := r.AudiencePage(Operator, query)
				require.NoError(b, err)
			}
		})
	}
}
