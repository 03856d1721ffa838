//go:build race

package lite

// raceEnabled: the race detector makes sync.Pool forget things at random.
const raceEnabled = true
