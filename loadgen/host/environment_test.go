package host

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCurrentEnvironment(t *testing.T) {
	e := CurrentEnvironment()
	assert.Equal(t, runtime.GOOS, e.OS)
	assert.Equal(t, runtime.Version(), e.Go)
	assert.Positive(t, e.CPUs)
	assert.NotEmpty(t, e.Hostname)
	if runtime.GOOS == "linux" {
		assert.NotEmpty(t, e.Kernel)
		assert.Greater(t, e.Memory, uint64(64<<20))
	}
}
