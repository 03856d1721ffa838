package host

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestThisMachineIsWhatThisProcessMayUse(t *testing.T) {
	m := CurrentLimits()
	assert.Positive(t, m.Cores)
	assert.Contains(t, receiveBufferSizes, m.ReceiveBuffer)
	if limit, ok := openFiles(); ok {
		assert.Equal(t, limit, m.Files)
	}
}
