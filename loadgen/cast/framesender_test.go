package cast

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestFirstNumbersOfAMicBeginAnewAfterHours(t *testing.T) {
	const clockRate = 48_000
	highest := uint32(0)
	for range 1000 {
		sequence, timestamp := firstNumbers()
		assert.Less(t, sequence, uint16(1<<15))
		assert.Greater(t, time.Duration(1<<32-uint64(timestamp))*time.Second/clockRate, 12*time.Hour)
		highest = max(highest, timestamp)
	}
	assert.Greater(t, highest, uint32(1<<29), "they are by chance")
}
