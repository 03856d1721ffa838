package scale

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFitFindsTheFactors(t *testing.T) {
	factors, residuals, err := Fit([][]float64{{1, 10}, {1, 20}, {1, 50}}, []float64{25, 45, 105})
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{5, 2}, factors, 1e-9)
	assert.InDeltaSlice(t, []float64{0, 0, 0}, residuals, 1e-9)

	_, residuals, err = Fit([][]float64{{1}, {1}}, []float64{1, 3})
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{0.2, -0.6}, residuals, 1e-9, "relative errors count")

	_, _, err = Fit([][]float64{{1, 2}}, []float64{1})
	require.ErrorContains(t, err, "fewer rows than factors")
	_, _, err = Fit([][]float64{{1, 2}, {2, 4}}, []float64{1, 2})
	require.ErrorContains(t, err, "do not tell the factors apart")
}

var (
	costs   = Costs{Listener: 20e-6, Packet: 2e-6, Base: 30e6, Memory: 20e3, Join: 2e-3, Delivery: 5e-6}
	machine = Machine{Cores: 8, Packets: 1e6, Load: 0.6}
)

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name         string
		demand       Demand
		node         Machine
		nodes, seats int
		trunks       int
		first        string
	}{
		{"one node is enough", Demand{10_000, 1, 1, 600}, machine, 1, 20_000, 0, "the nodes' network cards"},
		{"a room over many nodes", Demand{1_000_000, 1, 1, 600}, machine, 51, 20_000, 1, "the nodes' network cards"},
		{"many rooms, each on a node", Demand{1_000_000, 10_000, 1, 600}, machine, 51, 20_000, 0, "the nodes' network cards"},
		{"few cores", Demand{100_000, 1, 1, 600}, Machine{2, 1e6, 0.6}, 11, 10_000, 1, "the nodes' cores"},
		{"all at once", Demand{100_000, 1, 1, 10}, machine, 6, 20_000, 1, "the joins of a node that has a whole room"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := costs.Plan(c.demand, c.node)
			assert.Equal(t, c.nodes, p.Nodes)
			assert.Equal(t, c.seats, p.Seats)
			assert.Equal(t, c.trunks, p.Control.Trunks)
			assert.Equal(t, c.first, p.First)
			assert.Equal(t, c.nodes == 1, math.IsInf(p.Lost, 1), "one node has nobody to take its people")
		})
	}
	two, fifty := costs.Plan(Demand{30_000, 1, 1, 600}, machine), costs.Plan(Demand{1_000_000, 1, 1, 600}, machine)
	assert.Greater(t, two.Lost, fifty.Lost, "the fewer others, the longer they take")
}

func TestControlGrowsWithTheSquareOfNodes(t *testing.T) {
	assert.InDelta(t, 5*2+2*3, Control{Nodes: 2}.Delivered(), 1e-9)
	assert.InDelta(t, 2*6, Control{Nodes: 2}.Published(), 1e-9)
	assert.InDelta(t, 2*110+20, Control{Nodes: 2, Trunks: 1, Halls: 2, Voices: 2}.Delivered()-Control{Nodes: 2}.Delivered(), 1e-9)
	assert.InDelta(t, 400, Control{Nodes: 3, Arrivals: 100}.Delivered()-Control{Nodes: 3}.Delivered(), 1e-9)
}
