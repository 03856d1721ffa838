package lite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPipeThatIsToHurryReturnsWithoutADatagram(t *testing.T) {
	p := newPipe(NewLimiter(1), func([]byte) {})
	never := make(chan time.Time)
	p.hurry()
	b, err := p.read(never)
	require.NoError(t, err)
	assert.Nil(t, b)
	assert.True(t, p.takeHurry())
	assert.False(t, p.takeHurry(), "once")

	done := make(chan struct{})
	go func() {
		defer close(done)
		b, err := p.read(never)
		assert.NoError(t, err)
		assert.Nil(t, b)
	}()
	p.hurry() // before or while it waits
	<-done
	p.put([]byte{1})
	b, err = p.read(never)
	require.NoError(t, err)
	assert.Equal(t, []byte{1}, b, "a datagram comes first")
	p.releaseCPUSlot()
}
