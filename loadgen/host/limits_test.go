package host

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestThisMachineIsWhatThisProcessMayUse(t *testing.T) {
	m := ThisMachine()
	assert.Positive(t, m.Cores)
	assert.Contains(t, buffers, m.Buffer)
	if limit, ok := openFiles(); ok {
		assert.Equal(t, limit, m.Files)
	}
}
