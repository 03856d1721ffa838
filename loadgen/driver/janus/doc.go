// Package janus is the driver of the AudioBridge plugin of a Janus server: a mixer, by which
// everybody hears one mix of all the others.
//
// Everybody has a WebSocket of their own with one session and one handle, as a browser has.
// The server ends what belongs to a WebSocket when that closes, so that nobody stays there
// whose generator has gone; and one that is slow holds up nobody else.
package janus
