// Package apierr maps the errors of all layers to those of the protocol: one
// table from errors to codes, for the WebSocket protocol and the HTTP API.
// It has no state.
package apierr
