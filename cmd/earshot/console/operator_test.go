package console

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOperatorTablesHaveNoControlCharacters(t *testing.T) {
	var out strings.Builder
	s := operatorSession{out: &out}
	require.NoError(t, s.printTable([][]string{{"NAME", "ROLE"}, {"\x1b[31mBo\t\n", ""}, {"Ünïcødé 🎙", "host"}}))
	assert.Equal(t, "NAME       ROLE\n?[31mBo??  -\nÜnïcødé 🎙  host\n", out.String())
}
