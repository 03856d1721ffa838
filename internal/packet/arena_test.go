package packet_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/earshot-audio/earshot/internal/packet"
)

func TestNewArenaRefusesLessThanOnePacket(t *testing.T) {
	for _, n := range []int{-1, 0, packet.Size - 1} {
		_, err := packet.NewArena(n)
		require.Error(t, err)
	}
}

func TestArenaTakesDisjointBytesUntilFull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, err := packet.NewArena(packet.Size)
		require.NoError(t, err)
		for range 3 {
			left := packet.Size
			var taken [][]byte
			for i, n := range rapid.SliceOf(rapid.IntRange(-1, 700)).Draw(t, "sizes") {
				b := a.Take(n)
				if n <= 0 || n > left {
					require.Nil(t, b)
					continue
				}
				require.Len(t, b, n)
				require.Equal(t, n, cap(b), "an append must not reach the next packet")
				left -= n
				for j := range b {
					b[j] = byte(i)
				}
				taken = append(taken, b)
			}
			for _, b := range taken {
				require.False(t, slices.ContainsFunc(b, func(c byte) bool { return c != b[0] }))
			}
			a.Reset()
		}
	})
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	arena, err := packet.NewArena(packet.Size)
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		for arena.Take(150) != nil {
			continue
		}
		arena.Reset()
	}))
}

func BenchmarkArena(b *testing.B) {
	a, err := packet.NewArena(64 << 10)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if a.Take(150) == nil {
			a.Reset()
		}
	}
}
