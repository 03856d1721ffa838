package wire_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// declaredCodes reads the constants of type Code from the source, so that a
// constant without a row in the table is found.
func declaredCodes(t *testing.T) map[wire.Code]int {
	file, err := parser.ParseFile(token.NewFileSet(), "code.go", nil, 0)
	require.NoError(t, err)
	codes := map[wire.Code]int{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Code" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			codes[wire.Code(value)] = 0
		}
		return true
	})
	return codes
}

func TestCodesHaveOneRowEach(t *testing.T) {
	declared := declaredCodes(t)
	require.NotEmpty(t, declared)
	shape := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	last := 0
	for _, row := range wire.Codes() {
		_, ok := declared[row.Code]
		assert.True(t, ok, "%s has a constant", row.Code)
		declared[row.Code]++
		assert.Regexp(t, shape, string(row.Code))
		assert.NotEmpty(t, row.Message)
		assert.GreaterOrEqual(t, row.Status, last, "ordered by status at %s", row.Code)
		assert.True(t, row.Status >= 400 && row.Status < 600, "%s is an error status", row.Code)
		last = row.Status
		assert.Equal(t, row.Status, row.Code.Status())
		assert.Equal(t, row.Message, row.Code.Message())
	}
	for code, rows := range declared {
		assert.Equal(t, 1, rows, "rows of %s", code)
	}
}

func TestUnknownCodeIsInternal(t *testing.T) {
	row, ok := wire.Code("nonsense").Info()
	assert.False(t, ok)
	assert.Equal(t, wire.CodeInternal, row.Code)
	assert.Equal(t, 500, wire.Code("nonsense").Status())
}

func TestErrorIsComparesCodes(t *testing.T) {
	err := fmt.Errorf("join: %w", wire.NewError(wire.CodeRoomFull, ""))
	assert.ErrorIs(t, err, wire.Error{Code: wire.CodeRoomFull})
	assert.NotErrorIs(t, err, wire.Error{Code: wire.CodeStageFull})
	assert.EqualError(t, errors.Unwrap(err), "room_full: the room has no seat left")
}

func TestValidRoom(t *testing.T) {
	for id, want := range map[string]bool{
		"lobby": true, "a": true, "A-1_b.c": true, ".a": true,
		"": false, ".": false, "..": false, "...": false, "a/b": false, "a b": false, "ä": false, "a%2f": false,
	} {
		assert.Equal(t, want, wire.ValidRoom(id), "%q", id)
	}
}
