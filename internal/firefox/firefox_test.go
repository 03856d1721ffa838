package firefox_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/internal/firefox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLaunchSaysWhatIsWrong(t *testing.T) {
	program := filepath.Join(t.TempDir(), "firefox")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nexit 1\n"), 0o700)) //nolint:gosec // a program
	for path, want := range map[string]string{
		program:        "it ended before it could be reached",
		"/nonexistent": "no such file",
	} {
		_, err := firefox.Launch(path)
		require.ErrorContains(t, err, "start Firefox: ")
		assert.ErrorContains(t, err, want)
	}
	_, err := firefox.Launch(program, firefox.Preferences{"a.function": func() {}})
	assert.ErrorContains(t, err, "preference a.function")
}
