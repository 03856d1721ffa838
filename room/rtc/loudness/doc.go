// Package loudness finds how loud the frames of a mic are: as the client says, or by decoding
// them.
package loudness
