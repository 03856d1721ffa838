package spelling_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/internal/spelling"
)

func TestHint(t *testing.T) {
	colours := []string{"auto", "always", "never"}
	for _, row := range []struct{ name, word, hint, meant string }{
		{"a word that is near", "alway", "did you mean always?", "no such colour: did you mean always?"},
		{"a word that is not", "red", "there are auto, always, never", "no such colour"},
	} {
		t.Run(row.name, func(t *testing.T) {
			assert.Equal(t, row.hint, spelling.Hint(row.word, colours))
			assert.EqualError(t, spelling.Meant(errors.New("no such colour"), row.word, colours), row.meant)
		})
	}
}

func TestNearest(t *testing.T) {
	commands := []string{"run", "serve", "room", "scenario", "versus"}
	for _, row := range []struct{ name, word, want string }{
		{"two letters swapped are one slip", "rnu", "run"},
		{"a letter too many", "serrve", "serve"},
		{"a letter missing", "scenaro", "scenario"},
		{"a longer form of a word", "running", "run"},
		{"nothing that is near", "xyzzy", ""},
		{"a word of no sense costs no time", strings.Repeat("r", 1<<20), ""},
	} {
		t.Run(row.name, func(t *testing.T) { assert.Equal(t, row.want, spelling.Nearest(row.word, commands)) })
	}
}
