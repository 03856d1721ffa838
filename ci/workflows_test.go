package ci_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A tag can be moved to other code; a commit cannot.
func TestActionsArePinnedByCommit(t *testing.T) {
	files, err := filepath.Glob(".github/workflows/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	uses := regexp.MustCompile(`uses: (\S+)`)
	pinned := regexp.MustCompile(`^(\./|[^@]+@[0-9a-f]{40}$)`)
	for _, file := range append(files, "action.yml") {
		var parsed map[string]any
		readYAML(t, file, &parsed)
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range uses.FindAllSubmatch(text, -1) {
			assert.Regexp(t, pinned, string(m[1]), "in %s", file)
		}
	}
}

// What an image is built on can be moved to other code, too. Ours is built on nothing.
func TestImageHasNoBase(t *testing.T) {
	text, err := os.ReadFile("Containerfile")
	require.NoError(t, err)
	from := regexp.MustCompile(`(?mi)^FROM +(.*)$`).FindAllSubmatch(text, -1)
	require.NotEmpty(t, from)
	for _, m := range from {
		assert.Regexp(t, `^scratch( AS \w+)?$`, string(m[1]))
	}
}

func TestReleaseNotesAreTheChangelogsSection(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "ci/notes", "v0.1.0").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "The first version.")
	assert.NotContains(t, string(out), "## ")

	out, err = exec.CommandContext(t.Context(), "ci/notes", "v0.1").CombinedOutput()
	assert.Error(t, err, "the beginning of a version is no version")
	assert.Equal(t, "CHANGELOG.md has no section for v0.1\n", string(out))
}
