// Package whep drives any server that speaks WHIP (RFC 9725) and WHEP
// (draft-ietf-wish-whep) over HTTP. It starts no goroutine.
package whep
