//go:build !race

package browser_test

// raceEnabled: the server is built as the test is.
const raceEnabled = false
