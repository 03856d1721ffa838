package report

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCSVColumnsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/reports.md")
	require.NoError(t, err)
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	assert.Contains(t, string(doc), "`"+strings.Join(names, ",")+"`")
}
