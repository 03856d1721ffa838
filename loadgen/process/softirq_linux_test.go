package process

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSoftIRQThreadsAreThreads(t *testing.T) {
	threads := SoftIRQThreads()
	if len(threads) == 0 {
		t.Skip("the kernel's threads can't be seen here")
	}
	assert.GreaterOrEqual(t, len(ThreadTimesOf(threads)), len(threads), "and it is known for how long each has waited")
}
