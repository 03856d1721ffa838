package host

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProcessMeterIsFinerThanKernelTicks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	meter := ProcessMeter{PID: os.Getpid()}
	before, err := meter.Usage(t.Context())
	require.NoError(t, err)
	own := CPU()
	spun := 0
	for began := CPU(); CPU()-began < 3*time.Millisecond; {
		spun++
	}
	require.NotZero(t, spun)
	after, err := meter.Usage(t.Context())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, after.CPU-before.CPU, 3*time.Millisecond)
	assert.InDelta(t, own.Seconds(), before.CPU.Seconds(), 0.1, "both measure the same process")
	assert.NotZero(t, after.Memory)

	_, err = ProcessMeter{PID: 1 << 30}.Usage(t.Context())
	assert.Error(t, err)
}
