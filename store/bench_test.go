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
	defer s.Close()
	state := room.State{Config: room.Config{Name: "a", Capacity: 1}, Created: noon}
	for b.Loop() {
		require.NoError(b, s.Keep(state))
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

// What a check of a member's token costs, and a refused code: a look into a map.
func BenchmarkLook(b *testing.B) {
	s := Memory()
	defer s.Close()
	for b.Loop() {
		_, _ = s.Look("abcdefghijklmnopqrstuvwxyz", noon)
	}
}
