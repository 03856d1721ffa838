package browser_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPageWithoutUDPHearsOverTCP has pages whose network lets no UDP through: a mic and an ear
// go over TCP, and the listener hears what is said.
func TestPageWithoutUDPHearsOverTCP(t *testing.T) {
	t.Parallel()
	s := serve(t, "--open", "--advertise", linkHost, "--ice-tcp", linkHost+":0")
	l := connect(t, s)
	l.set(func(l *link) { l.noUDP = true })
	_, bo, _ := radio(t, l.url)
	bo.connected()
	assert.Equal(t, "tcp", eval[string](bo, `ear().getStats().then((stats) => {
		const all = [...stats.values()];
		const pair = all.find((s) => s.type === 'candidate-pair' && s.nominated && s.state === 'succeeded');
		return all.find((s) => s.id === pair.remoteCandidateId).protocol;
	})`))
}
