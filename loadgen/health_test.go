package loadgen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHealthIsThatOfTheMeasuredTime(t *testing.T) {
	h := newHealth(false)
	h.recordSend(2 * time.Millisecond)
	h.recordStart(3 * time.Millisecond)
	h.recordRead(4*time.Millisecond, 5)
	measured, dropped := h.latest(), h.machineDrops()
	h.end()
	h.recordSend(time.Second)
	h.recordStart(time.Second)
	h.recordRead(time.Second, 1000)
	assert.Equal(t, measured, h.latest())
	assert.EqualValues(t, 7, h.lag().Count())
	assert.Equal(t, dropped, h.machineDrops())
}
