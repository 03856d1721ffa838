package tree_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What packets do there is tested on this system: room/rtc and internal/udpbatch
// have their portable way.
func TestTheTreeIsBuiltForOtherSystems(t *testing.T) {
	for _, system := range []string{"darwin", "windows"} {
		t.Run(system, func(t *testing.T) {
			build := exec.CommandContext(t.Context(), "go", "build", "./...")
			build.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
			out, err := build.CombinedOutput()
			assert.NoError(t, err, "%s", out)
		})
	}
}
