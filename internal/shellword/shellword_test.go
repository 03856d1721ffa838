package shellword

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"talk.yaml":    "talk.yaml",
		"my talk.yaml": "'my talk.yaml'",
		"it's":         `'it'\''s'`,
		"$(reboot)":    "'$(reboot)'",
		"":             "''",
		"http://h/?a":  "'http://h/?a'",
	} {
		assert.Equal(t, want, Quote(text))
		out, err := exec.Command("sh", "-c", "printf %s "+Quote(text)).Output()
		require.NoError(t, err)
		assert.Equal(t, text, string(out), "a shell takes it as it was")
	}
}
