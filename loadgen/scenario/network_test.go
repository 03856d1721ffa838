package scenario

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/network"
)

// on is the good file with its listeners on a network.
func on(text string) string { return edit("count: 9", "count: 9, network: "+text) }

func TestNetworkIsAPresetOrFigures(t *testing.T) {
	preset := func(name string) network.Profile {
		p, ok := network.Preset(name)
		require.True(t, ok)
		return *p
	}
	changed := preset("4g")
	changed.Name = "train"
	changed.Up.Loss, changed.Down.Loss = 0.03, 0.1
	changed.Outages = []network.Outage{{At: 2 * time.Second, For: 500 * time.Millisecond}}
	changed.Rebinds = []time.Duration{3 * time.Second, 5 * time.Second}
	both := network.Direction{
		Delay: 40 * time.Millisecond, Jitter: network.Jitter{Spread: 20 * time.Millisecond, Shape: network.Pareto, Reorder: true},
		Loss: 0, Bursts: network.Bursts{Every: 100, Length: 5.5, Density: 1}, Bandwidth: 64e3, Queue: time.Second,
	}
	wide := both
	wide.Bandwidth, wide.Bursts.Density = 1.5e6, 0.5
	s := compiled(t)
	for _, c := range []struct {
		name, text string
		want       network.Profile
	}{
		{"a preset by its name", "3g", preset("3g")},
		{"a preset alone", "{profile: 3g}", preset("3g")},
		{"a preset, changed", "{profile: 4g, name: train, loss: 0.03, down: {loss: 0.1}, outages: [{at: 2s, for: 500ms}], rebinds: [3s, 5s]}", changed},
		{"figures of both directions and of one", "{delay: 40ms, jitter: 20ms, shape: pareto, reorder: true, bursts: {every: 100, length: 5.5}, bandwidth: 64kbps, queue: 1s, down: {bandwidth: 1.5Mbps, bursts: {every: 100, length: 5.5, density: 0.5}}}",
			network.Profile{Name: "own", Up: both, Down: wide}},
		{"nothing", "{}", network.Profile{Name: "own"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			parsed, err := Parse("x.yaml", []byte(on(c.text)))
			require.NoError(t, err)
			assert.NoError(t, fits(t, s, []byte(on(c.text))))
			assert.Equal(t, &c.want, parsed.Cast[1].Network)
			assert.Equal(t, c.want.Name, parsed.Cast[1].NetworkName())
			assert.Empty(t, parsed.Cast[0].NetworkName(), "the others have none")
			assert.NoError(t, parsed.Validate())
		})
	}
}

func TestBadNetworkIsRefusedWithItsPlace(t *testing.T) {
	s := compiled(t)
	for _, c := range []struct {
		name, text, at, says string
		schema               bool
	}{
		{"a preset that is none", "5g", "5:41", `network is "5g": it can be wifi, 4g, 3g, lossy, satellite`, true},
		{"a number", "7", "5:41", "network must be text, and is the number 7", true},
		{"a list", "[3g]", "5:41", "network must be text, and is a list", true},
		{"an unknown field", "{lag: 3ms}", "5:42", `network has no field "lag"`, true},
		{"an unknown profile", "{profile: dsl}", "5:51", `profile is "dsl"`, true},
		{"a name for no selector", "{name: my net}", "5:48", "is no name of a network", true},
		{"a loss in percent", "{loss: 5}", "5:48", "loss is 5: it can be 0 to 1", true},
		{"a loss in words", "{loss: 5%}", "5:48", "loss must be a number from 0 to 1", true},
		{"a delay without a unit", "{delay: 40}", "5:49", "delay is 40 without a unit", true},
		{"a delay of a minute", "{delay: 1m}", "5:49", "delay is 1m0s: the longest is 10s", false},
		{"an unknown shape", "{shape: flat}", "5:49", `shape is "flat": it can be normal, uniform, exponential, pareto`, true},
		{"an order of maybe", "{reorder: maybe}", "5:51", "reorder must be true or false", true},
		{"bursts without a length", "{bursts: {every: 9}}", "5:51", "bursts needs the field length", true},
		{"bursts of nothing", "{bursts: {every: 9, length: 0.5}}", "5:69", "length is 0.5: it can be 1 to 1e+06", true},
		{"bursts that lose nothing", "{bursts: {every: 9, length: 2, density: 0}}", "5:81", "density is 0", true},
		{"a bandwidth without a unit", "{bandwidth: 64}", "5:53", "bandwidth must be text", true},
		{"a bandwidth in bytes", "{bandwidth: 64kB}", "5:53", "like 64kbps or 1.5Mbps", true},
		{"a bandwidth of too little", "{bandwidth: 0.5kbps}", "5:53", "it can be 1kbps to 100Gbps", false},
		{"a mistake in one direction", "{down: {loss: 2}}", "5:55", "loss is 2", true},
		{"an unknown field of a direction", "{up: {losses: 2}}", "5:47", `up has no field "losses"`, true},
		{"an outage without an end", "{outages: [{at: 3s}]}", "5:53", "an outage needs the field for", true},
		{"an outage of no length", "{outages: [{at: 3s, for: 0s}]}", "5:53", "lasts longer than 0s", false},
		{"an outage after the hold", "{outages: [{at: 30s, for: 1s}]}", "5:57", "at is 30s, outside of the hold of 9s", false},
		{"a rebind after the hold", "{rebinds: [1s, 30s]}", "5:56", "30s is outside of the hold of 9s", false},
		{"a rebind that is no time", "{rebinds: [soon]}", "5:52", "no duration", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("bad.yaml", []byte(on(c.text)))
			require.Error(t, err)
			assert.ErrorContains(t, err, "bad.yaml:"+c.at+": ")
			assert.ErrorContains(t, err, c.says)
			var joined interface{ Unwrap() []error }
			if assert.ErrorAs(t, err, &joined) {
				assert.Len(t, joined.Unwrap(), 1, "it is told once: %v", err)
			}
			if c.schema {
				assert.Error(t, fits(t, s, []byte(on(c.text))))
			}
		})
	}
}
