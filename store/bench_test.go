package store

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
)

// What keeping a room costs, with the ledger's second sync and without it, for one who
// writes and for many at once.
func BenchmarkKeep(b *testing.B) {
	for _, writers := range []int{1, 16} {
		for _, noted := range []bool{true, false} {
			b.Run(fmt.Sprintf("writers=%d/ledger=%t", writers, noted), func(b *testing.B) {
				s, err := Open(b.Context(), Config{Dir: b.TempDir()})
				require.NoError(b, err)
				defer func() { _ = s.Close() }()
				if !noted {
					s.rooms.ledger = nil
				}
				var all sync.WaitGroup
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ResetTimer()
				for n := range writers {
					all.Go(func() {
						state := room.State{Config: room.Config{Name: fmt.Sprint("room-", n), Capacity: 1}, Created: noon}
						for left.Add(-1) >= 0 {
							assert.NoError(b, s.PutRoom(state))
						}
					})
				}
				all.Wait()
			})
		}
	}
}

func BenchmarkOpenAndClose(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		begin := time.Now()
		s, err := Open(b.Context(), Config{Dir: dir})
		require.NoError(b, err)
		opened := time.Now()
		require.NoError(b, s.Close())
		b.ReportMetric(float64(opened.Sub(begin).Milliseconds()), "ms-open")
		b.ReportMetric(float64(time.Since(opened).Milliseconds()), "ms-close")
	}
}

// The time of a redemption that is refused, by what is wrong with the code.
func BenchmarkRefusedCodes(b *testing.B) {
	s, err := Open(b.Context(), Config{Dir: b.TempDir()})
	require.NoError(b, err)
	defer func() { _ = s.Close() }()
	for name, code := range refused(b, s) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, _ = s.Redeem(b.Context(), code, noon)
			}
		})
	}
}
