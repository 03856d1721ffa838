//go:build !linux

package client

// sharing tells that a socket can't have many local addresses here.
const SharesSockets = false
