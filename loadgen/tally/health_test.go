package tally

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHealthIsThatOfTheMeasuredTime(t *testing.T) {
	h := NewHealth(false)
	h.RecordSend(2 * time.Millisecond)
	h.RecordStart(3 * time.Millisecond)
	h.RecordRead(4*time.Millisecond, 5)
	measured, dropped := h.Latest(), h.MachineDrops()
	h.End()
	h.RecordSend(time.Second)
	h.RecordStart(time.Second)
	h.RecordRead(time.Second, 1000)
	assert.Equal(t, measured, h.Latest())
	assert.EqualValues(t, 7, h.Lag().Count())
	assert.Equal(t, dropped, h.MachineDrops())
}
