//go:build unix

package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

const module = "github.com/earshot-audio/earshot/"

// The programs are built once, without the race detector: a server that is ten times
// slower would be another one.
var (
	earshot      = built("earshot", "cmd/earshot", nil)
	faultyServer = built("faultyserver", "internal/faults/server", nil)
	// patchedEarshot is earshot whose wall clock is stepped, whose receive buffers are small, or
	// that computes more than it needs, if its environment says so.
	patchedEarshot = built("patched", "cmd/earshot", patches)
)

// built returns a function that builds a program the first time and returns its path.
// Overlay replaces files of the source; nil replaces none.
func built(name, of string, overlay map[string]patch) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		path := filepath.Join(folder, name)
		args := []string{"build", "-o", path}
		if overlay != nil {
			file, err := writeOverlay(name, overlay)
			if err != nil {
				return "", err
			}
			args = append(args, "-overlay", file)
		}
		build := exec.Command("go", append(args, module+of)...)
		build.Dir = root()
		out, err := build.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
		return path, nil
	})
}

// root is the folder of the project.
func root() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..")
}

// A patch replaces texts of a file, and adds to it.
type patch struct {
	replace map[string]string
	add     string
}

const (
	// stepAfter is how long after its start a patched generator's wall clock is
	// stepped, as a duration.
	stepAfter = "EARSHOT_FAULTS_STEP_AFTER"
	// stepBy is by how much, as a duration; it may be back.
	stepBy = "EARSHOT_FAULTS_STEP_BY"
	// receiveBuffer is how large its receive buffers are, in bytes.
	receiveBuffer = "EARSHOT_FAULTS_RECEIVE_BUFFER"
	// computing is how many threads more than it needs compute for most of each second.
	computing = "EARSHOT_FAULTS_COMPUTING"
)

// patches are what the patched generator is built with. A clock that is really stepped,
// and a kernel's setting, would be the whole machine's.
var patches = map[string]patch{
	"loadgen/timebase/clock.go": {
		replace: map[string]string{
			"time.Duration(ns-c.wall.Load())": "time.Duration(stepped(ns)-c.wall.Load())",
			"now.UnixNano() - ":               "stepped(now.UnixNano()) - ",
			`"sync/atomic"`:                   "\"os\"\n\t\"sync/atomic\"",
		},
		add: `
var (
	stepAfter, _ = time.ParseDuration(os.Getenv("` + stepAfter + `"))
	stepBy, _    = time.ParseDuration(os.Getenv("` + stepBy + `"))
	stepAt       = time.Now().UnixNano() + int64(stepAfter)
)

func stepped(ns int64) int64 {
	if stepAfter > 0 && ns >= stepAt {
		return ns + int64(stepBy)
	}
	return ns
}
`,
	},
	"loadgen/host/buffer.go": {
		replace: map[string]string{
			"var receiveBufferSizes =": "var usualSizes =",
			`"context"`:                "\"context\"\n\t\"os\"\n\t\"runtime\"\n\t\"strconv\"\n\t\"time\"",
		},
		add: `
var receiveBufferSizes = func() []int {
	if n, err := strconv.Atoi(os.Getenv("` + receiveBuffer + `")); err == nil {
		return []int{n}
	}
	return usualSizes
}()

var _ = func() bool {
	n, _ := strconv.Atoi(os.Getenv("` + computing + `"))
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + n)
	for range n {
		go func() {
			for second := time.Now(); ; second = second.Add(time.Second) {
				time.Sleep(time.Until(second))
				for time.Since(second) < 800*time.Millisecond {
				}
			}
		}()
	}
	return true
}()
`,
	},
}

// writeOverlay writes the patched files of a program and the list that go build reads.
func writeOverlay(program string, patches map[string]patch) (string, error) {
	list := struct{ Replace map[string]string }{map[string]string{}}
	for name, p := range patches {
		original := filepath.Join(root(), name)
		source, err := os.ReadFile(original)
		if err != nil {
			return "", err
		}
		text := string(source)
		for old, replacement := range p.replace {
			if strings.Count(text, old) != 1 {
				return "", fmt.Errorf("the patch of %s no longer fits: %q", name, old)
			}
			text = strings.Replace(text, old, replacement, 1)
		}
		patched := filepath.Join(folder, program+"_"+strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(patched, []byte(text+p.add), 0o600); err != nil {
			return "", err
		}
		list.Replace[original] = patched
	}
	data, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, program+".json")
	return path, os.WriteFile(path, data, 0o600)
}
