//go:build !linux

package client

// SharesSockets means that a socket can have many local addresses, which it can't here.
const SharesSockets = false
