package loadgen

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

func TestARunThatNeedsMoreFilesThanAllowedIsRefusedWithTheFix(t *testing.T) {
	limit, ok := openFiles()
	if !ok {
		t.Skip("this system has no such limit")
	}
	small := &scenario.Scenario{Rooms: 1, Cast: []scenario.Group{{Role: scenario.Listener, Count: 5}}}
	assert.NoError(t, preflight(small))
	large := &scenario.Scenario{Rooms: 2, Cast: []scenario.Group{{Role: scenario.Listener, Count: int(limit)}}}
	assert.ErrorContains(t, preflight(large), "ulimit -n")
}
