package network_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/network"
)

func TestSharesOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		shares network.Shares
		people int
		want   map[network.Transport]int
	}{
		{"nothing is said: all go by UDP", network.Shares{}, 7, map[network.Transport]int{network.UDP: 7}},
		{"one transport for all", network.Shares{TCP: 1}, 5, map[network.Transport]int{network.TCP: 5}},
		{"a hundred people have percentages", network.Shares{UDP: 90, TCP: 8, TURNTCP: 2}, 100,
			map[network.Transport]int{network.UDP: 90, network.TCP: 8, network.TURNTCP: 2}},
		{"and so have their multiples", network.Shares{UDP: 90, TCP: 8, TURNTLS: 2}, 300,
			map[network.Transport]int{network.UDP: 270, network.TCP: 24, network.TURNTLS: 6}},
		{"shares are relative", network.Shares{UDP: 1, TURNUDP: 1}, 10, map[network.Transport]int{network.UDP: 5, network.TURNUDP: 5}},
		{"a few people have them as nearly as can be", network.Shares{UDP: 75, TCP: 25}, 4, map[network.Transport]int{network.UDP: 3, network.TCP: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := map[network.Transport]int{}
			for n := range c.people {
				got[c.shares.Of(n)]++
			}
			assert.Equal(t, c.want, got)
			assert.Empty(t, c.shares.Problems())
		})
	}
}

func TestSharesProblems(t *testing.T) {
	assert.Len(t, network.Shares{UDP: -1, TCP: 101, TURNUDP: 100}.Problems(), 2)
}

func TestSharesTransports(t *testing.T) {
	assert.Equal(t, []network.Transport{network.UDP}, network.Shares{}.Transports())
	assert.Equal(t, []network.Transport{network.TCP, network.TURNTCP}, network.Shares{TCP: 3, TURNTCP: 1}.Transports())
	assert.True(t, network.TURNTLS.Relayed())
	assert.True(t, network.TURNTCP.Relayed())
	assert.False(t, network.TCP.Relayed())
}
