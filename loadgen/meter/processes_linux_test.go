package meter

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/process"
)

// A server that is killed has used what it used, and has no memory any more.
func TestProcessesKeepsWhatTheDeadUsed(t *testing.T) {
	m := &Processes{}
	var all []*exec.Cmd
	for range 2 {
		busy := exec.Command("sh", "-c", "while :; do :; done")
		require.NoError(t, busy.Start())
		t.Cleanup(func() { _, _ = busy.Process.Kill(), busy.Wait() })
		all = append(all, busy)
		m.Add(busy.Process.Pid)
	}
	var before process.Usage
	require.Eventually(t, func() (busy bool) {
		var err error
		before, err = m.Usage(t.Context())
		return err == nil && before.CPU > 20*time.Millisecond && before.Memory > 0
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, all[0].Process.Kill())
	_ = all[0].Wait() // it was killed
	after, err := m.Usage(t.Context())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, after.CPU, before.CPU)
	assert.Less(t, after.Memory, before.Memory)
	_, known := after.WaitSince(before)
	assert.True(t, known, "how long others waited is known")
	_, err = m.Details(t.Context())
	require.NoError(t, err)

	require.NoError(t, all[1].Process.Kill())
	_ = all[1].Wait()
	_, err = m.Usage(t.Context())
	require.ErrorIs(t, err, process.ErrEnded, "nothing of them is left")
}
