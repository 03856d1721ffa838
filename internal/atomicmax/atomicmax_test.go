package atomicmax

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRaiseKeepsTheGreatest(t *testing.T) {
	var most atomic.Int64
	var all sync.WaitGroup
	for worker := range int64(4) {
		all.Go(func() {
			for i := range int64(1000) {
				Raise(&most, 4*i+worker)
				Raise(&most, -i)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 3999, most.Load())
}
