package tree_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Whether packets get through there is tested on this system, with the portable
// code of room/rtc and internal/udpbatch.
func TestTreeBuildsForOtherSystems(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds everything twice")
	}
	for _, system := range []string{"darwin", "windows"} {
		t.Run(system, func(t *testing.T) {
			build := exec.CommandContext(t.Context(), "go", "build", "./...")
			build.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
			out, err := build.CombinedOutput()
			assert.NoError(t, err, "%s", out)
		})
	}
}
