package whip

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocument checks that docs/whip-whep.md lists exactly the requirements that are
// tested.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/whip-whep.md")
	require.NoError(t, err)
	listed := map[string]bool{}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (both|WHIP|WHEP)[, ]")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		listed[m[2]+" "+m[1]] = true
	}
	tested := map[string]bool{}
	for of, rows := range map[string][]must{"both": slices.Concat(sharedMusts(Play), restartMusts(Play)), "WHIP": whipMusts(), "WHEP": whepMusts()} {
		for _, m := range rows {
			require.False(t, tested[of+" "+m.id], "two requirements are called %q", m.id)
			require.False(t, strings.ContainsAny(m.id, " :"), m.id)
			tested[of+" "+m.id] = true
		}
	}
	assert.Equal(t, tested, listed)
}
