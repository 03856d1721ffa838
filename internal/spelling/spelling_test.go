package spelling_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/internal/spelling"
)

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
