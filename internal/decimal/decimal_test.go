package decimal

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIs(t *testing.T) {
	for _, text := range []string{"0", "10", "-1", "+5", "0.5", ".5", "-0", "", "ten", "-", "1.2.3"} {
		assert.True(t, Is(text), text)
	}
	for _, text := range []string{"010", "00", "-010", "0x10", "0o10", "0b1", "1_000", "1e3", "01.5", "00.5"} {
		assert.False(t, Is(text), text)
	}
}

func TestIsDuration(t *testing.T) {
	for _, text := range []string{"0s", "10s", "1m30s", "0.5s", ".5s", "1h0m0.25s", "-3s", "", "soon", "0"} {
		assert.True(t, IsDuration(text), text)
	}
	for _, text := range []string{"010s", "00s", "1m05s", "00.5s", "-03s", "1h00m", "010"} {
		assert.False(t, IsDuration(text), text)
	}
}
