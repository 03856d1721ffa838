//go:build race

package srtp

// raceEnabled: the race detector makes sync.Pool forget things at random.
const raceEnabled = true
