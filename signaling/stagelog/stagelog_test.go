package stagelog

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/signaling/wire"
)

func TestLogHoldsTheLatestChanges(t *testing.T) {
	change := func(who string) wire.StageChange {
		return wire.StageChange{StageMember: wire.StageMember{Member: who}}
	}
	log := New(100)
	log.Add(change("a"))
	log.Add(change("b"))
	log.Add(change("a"))
	since := func(rev uint64) []string {
		changes, ok := log.Since(rev)
		if !ok {
			return []string{"unknown"}
		}
		names := []string{}
		for _, c := range changes {
			names = append(names, c.Member)
		}
		return names
	}
	assert.Equal(t, []string{"b", "a"}, since(100))
	assert.Equal(t, []string{"a"}, since(102))
	assert.Empty(t, since(103))
	assert.Equal(t, []string{"unknown"}, since(99))
	assert.Equal(t, []string{"unknown"}, since(104), "a revision of another process")
	for i := range length {
		log.Add(change(fmt.Sprint("person ", i)))
	}
	assert.Equal(t, []string{"unknown"}, since(101))
	assert.Len(t, since(log.Revision()-5), 5)
}
