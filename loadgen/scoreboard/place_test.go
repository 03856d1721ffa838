package scoreboard

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/meter"
)

func TestServersOfTheGeneratorsOwnMachineAreKnown(t *testing.T) {
	own, err := net.InterfaceAddrs()
	require.NoError(t, err)
	targets := map[string]bool{
		"http://localhost:8080/whep":         true,
		"http://[::1]:8080/{room}/whep":      true,
		"http://192.0.2.7:8080/whep":         false,
		"http://[2001:db8::7]/whep":          false,
		"https://media.example.org/{room}/w": false,
	}
	if name, err := os.Hostname(); err == nil {
		targets["http://"+name+":8080/whep"] = true
	}
	for _, a := range own {
		p, err := netip.ParsePrefix(a.String())
		require.NoError(t, err)
		targets["http://"+netip.AddrPortFrom(p.Addr(), 8080).String()+"/whep"] = true
	}
	for target, is := range targets {
		d, err := whep.New(target, target, "", nil)
		require.NoError(t, err, target)
		assert.Equal(t, is, SameMachine(Config{Driver: d}), target)
		assert.True(t, SameMachine(Config{Driver: d, Server: meter.Process{PID: os.Getpid()}}), "%s, whose process is here", target)
	}
}

// Media of a server whose address is on the loopback interface may go by another one (Janus).
func TestAddressesHere(t *testing.T) {
	assert.True(t, here("ws://127.0.0.1:8188"))
	assert.True(t, here("ws://localhost:8188"))
	assert.False(t, here("ws://192.0.2.7:8188"))
}
