package host

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCurrentLimits(t *testing.T) {
	m := CurrentLimits()
	assert.Positive(t, m.Cores)
	assert.Contains(t, receiveBufferSizes, m.ReceiveBuffer)
	if limit, ok := openFiles(); ok {
		assert.Equal(t, limit, m.Files)
	}
}
