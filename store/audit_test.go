package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAuditLogIsBounded writes more than the log may hold: the oldest entries are dropped,
// which the log says, and the latest are there, after a restart as well.
func TestAuditLogIsBounded(t *testing.T) {
	lasting(t, func(t *testing.T, p place) {
		p.cfg.maxAuditBytes = 64 << 10
		const entries = 600
		s := p.open()
		for n := range entries {
			s.Audit(AuditEntry{At: noon, Actor: "operator", Action: fmt.Sprint(n), Detail: strings.Repeat("x", 200)})
		}
		require.NoError(t, s.Flush(t.Context()))
		for range 2 {
			state, err := s.buckets["audit"].State(t.Context())
			require.NoError(t, err)
			assert.Less(t, state.Bytes, uint64(p.cfg.maxAuditBytes*9/8))
			all, err := s.AuditLog(t.Context(), "", MaxEntries)
			require.NoError(t, err)
			dropped := slices.IndexFunc(all, func(e AuditEntry) bool { return e.Action == "audit.drop" })
			require.GreaterOrEqual(t, dropped, 0)
			assert.Equal(t, "server", all[dropped].Actor)
			all = slices.DeleteFunc(all, func(e AuditEntry) bool { return e.Action == "audit.drop" })
			assert.Greater(t, len(all), 100)
			for n, e := range all {
				require.Equal(t, fmt.Sprint(entries-len(all)+n), e.Action, "the latest are there, in their order")
			}
			require.NoError(t, s.Close())
			s = p.open()
		}
		require.NoError(t, s.Close())
	})
}

// TestAuditLogReadsWhatIsAsked asks for the last entries of a log of many, and counts the
// messages that come.
func TestAuditLogReadsWhatIsAsked(t *testing.T) {
	lasting(t, func(t *testing.T, p place) {
		s := p.open()
		defer func() { assert.NoError(t, s.Close()) }()
		const entries = 1000
		for n := range entries {
			where := "busy"
			if n%100 == 50 {
				where = "quiet"
			}
			s.Audit(AuditEntry{At: noon, Actor: "operator", Action: fmt.Sprint(n), Room: where})
		}
		require.NoError(t, s.Flush(t.Context()))
		for _, row := range []struct {
			room        string
			limit, most int
			want        []string
		}{
			{"", 1, 30, []string{"999"}},
			{"", 3, 30, []string{"997", "998", "999"}},
			{"busy", 1, 30, []string{"999"}},
			{"quiet", 1, 100, []string{"950"}},
			{"quiet", 2, 100, []string{"850", "950"}},
			{"none", 5, 100, []string{}},
		} {
			before := s.conn.Stats().InMsgs
			got, err := s.AuditLog(t.Context(), row.room, row.limit)
			require.NoError(t, err)
			actions := make([]string, len(got))
			for n, e := range got {
				actions[n] = e.Action
			}
			assert.Equal(t, row.want, actions, "%+v", row)
			assert.Less(t, s.conn.Stats().InMsgs-before, uint64(row.most), "%+v", row)
		}
		all, err := s.AuditLog(t.Context(), "quiet", MaxEntries)
		require.NoError(t, err)
		assert.Len(t, all, 10)
	})
}

// BenchmarkAuditLog reads the last entry of many.
func BenchmarkAuditLog(b *testing.B) {
	s, err := Open(b.Context(), Config{Dir: b.TempDir()})
	require.NoError(b, err)
	defer func() { _ = s.Close() }()
	for n := range 30_000 {
		s.Audit(AuditEntry{At: noon, Actor: "operator", Action: "invite.create", Room: "a", Target: fmt.Sprint(n)})
	}
	require.Eventually(b, func() bool { return s.Flush(b.Context()) == nil }, 5*time.Minute, time.Millisecond)
	for _, where := range []string{"", "a"} {
		for _, limit := range []int{1, 100, MaxEntries} {
			b.Run(fmt.Sprintf("%d of %q", limit, where), func(b *testing.B) {
				for b.Loop() {
					_, err := s.AuditLog(b.Context(), where, limit)
					require.NoError(b, err)
				}
			})
		}
	}
}
