package network

import (
	"slices"
	"time"
)

// The presets. docs/network.md has the source of each figure.
var presets = [...]Profile{
	{
		Name: "wifi",
		Up:   Direction{Delay: ms(1), Jitter: Jitter{Spread: ms(5)}, Bursts: Bursts{Every: 1998, Length: 2}, Bandwidth: 15e6, Queue: ms(70)},
		Down: Direction{Delay: ms(1), Jitter: Jitter{Spread: ms(5)}, Bursts: Bursts{Every: 1998, Length: 2}, Bandwidth: 30e6, Queue: ms(70)},
	},
	{
		Name: "4g",
		Up:   Direction{Delay: ms(35), Jitter: Jitter{Spread: ms(15)}, Loss: 0.002, Bandwidth: 12e6},
		Down: Direction{Delay: ms(35), Jitter: Jitter{Spread: ms(5)}, Loss: 0.002, Bandwidth: 12e6},
	},
	{
		Name: "3g",
		Up:   Direction{Delay: ms(150), Jitter: Jitter{Spread: ms(50)}, Loss: 0.005, Bandwidth: 768e3},
		Down: Direction{Delay: ms(150), Jitter: Jitter{Spread: ms(50)}, Loss: 0.005, Bandwidth: 1.6e6},
	},
	{
		Name: "lossy",
		Up:   Direction{Delay: ms(50), Jitter: Jitter{Spread: ms(5)}, Loss: 0.01, Bursts: Bursts{Every: 95, Length: 4}},
		Down: Direction{Delay: ms(50), Jitter: Jitter{Spread: ms(5)}, Loss: 0.01, Bursts: Bursts{Every: 95, Length: 4}},
	},
	{
		Name: "satellite",
		Up:   Direction{Delay: ms(260), Jitter: Jitter{Spread: ms(5)}, Bandwidth: 256e3, Queue: ms(500)},
		Down: Direction{Delay: ms(260), Jitter: Jitter{Spread: ms(5)}, Bandwidth: 1e6, Queue: ms(500)},
	},
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// Preset returns the preset with a name. The caller owns it.
func Preset(name string) (*Profile, bool) {
	for _, p := range presets {
		if p.Name == name {
			return &p, true
		}
	}
	return nil, false
}

// Presets returns the presets' names.
func Presets() []string {
	var names []string
	for _, p := range presets {
		names = append(names, p.Name)
	}
	return slices.Clip(names)
}
