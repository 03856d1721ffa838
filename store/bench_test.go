package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
)

func BenchmarkKeep(b *testing.B) {
	s, err := Open(b.Context(), Config{Dir: b.TempDir()})
	require.NoError(b, err)
	defer func() { _ = s.Close() }()
	state := room.State{Config: room.Config{Name: "a", Capacity: 1}, Created: noon}
	for b.Loop() {
		require.NoError(b, s.PutRoom(state))
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
