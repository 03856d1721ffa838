//go:build !linux

package loadgen

// sharing tells that a socket can't have many local addresses here.
const sharing = false
