package meter

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/process"
)

// startBusy starts a program that does nothing but has another process of it burn a core.
func startBusy(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	busy := exec.Command("sh", "-c", script)
	busy.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, busy.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-busy.Process.Pid, syscall.SIGKILL)
		_ = busy.Wait() // it was killed
	})
	return busy
}

func TestProcessMeasuresAllProcessesOfAServer(t *testing.T) {
	for _, c := range []struct{ sentence, script string }{
		{"a child works", `while :; do :; done & wait`},
		{"a child's child works", `(while :; do :; done & wait) & wait`},
		{"children come and go", `while :; do sh -c 'n=0; while [ $n -lt 20000 ]; do n=$((n+1)); done'; done`},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			busy := startBusy(t, c.script)
			meter := Process{PID: busy.Process.Pid}
			before, err := meter.Usage(t.Context())
			require.NoError(t, err)
			assert.Eventually(t, func() bool {
				after, err := meter.Usage(t.Context())
				own, err2 := process.UsageOf(busy.Process.Pid)
				return err == nil && err2 == nil && after.CPU-before.CPU > 100*time.Millisecond && own.CPU < after.CPU/2
			}, time.Minute, 10*time.Millisecond)
			after, err := meter.Usage(t.Context())
			require.NoError(t, err)
			assert.Greater(t, after.Memory, uint64(0))
		})
	}
	t.Run("but not the process that measures it", func(t *testing.T) {
		fs, err := procfs.NewDefaultFS()
		require.NoError(t, err)
		assert.NotContains(t, members(fs, os.Getppid(), os.Getpid()), os.Getpid())
	})
}

func TestEnclosedIsAServiceOrAContainer(t *testing.T) {
	for group, is := range map[string]bool{
		"/system.slice/mediamtx.service":                             true,
		"/system.slice/docker-0123abcd.scope":                        true,
		"/docker/0123abcd":                                           true,
		"/machine.slice/libpod-0123abcd.scope":                       true,
		"/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope": true,
		"/lxc/web": true,
		"/user.slice/user-1000.slice/session-2.scope":                               false,
		"/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-1.scope": false,
		"/": false,
		"":  false,
	} {
		assert.Equal(t, is, enclosed(group), group)
	}
}

func BenchmarkProcess(b *testing.B) {
	for b.Loop() {
		if _, err := (Process{PID: os.Getpid()}).Usage(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
