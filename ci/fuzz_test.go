package ci_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFuzzTellsFindingsFromTheEndOfTheTime runs ci/fuzz with a go that says what go test says.
func TestFuzzTellsFindingsFromTheEndOfTheTime(t *testing.T) {
	for _, c := range []struct {
		sentence, says, exits string
		found                 bool
	}{
		{"nothing is found", "PASS", "0", false},
		{"the time ends in the middle of an input", "--- FAIL: FuzzX (60.05s)\n    context deadline exceeded\nFAIL", "1", false},
		{"an input fails", "--- FAIL: FuzzX (0.05s)\n    --- FAIL: FuzzX (0.00s)\n    Failing input written to testdata/fuzz/FuzzX/1", "1", true},
		{"an input fails as the time ends", "    context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzX/1", "1", true},
		{"it can't be built", "FAIL [build failed]", "1", true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			stub := filepath.Join(t.TempDir(), "go")
			require.NoError(t, os.WriteFile(stub, []byte("#!/bin/sh\nprintf '%s\\n' \"$SAYS\"\nexit $EXITS\n"), 0o700))
			script := exec.Command("ci/fuzz")
			script.Env = append(os.Environ(), "GO="+stub, "SAYS="+c.says, "EXITS="+c.exits)
			out, err := script.CombinedOutput()
			if c.found {
				assert.Error(t, err, "%s", out)
				return
			}
			assert.NoError(t, err, "%s", out)
		})
	}
}
