// Package speech reads recorded speech, Opus in Ogg files, into the 20 ms
// frames that a mic sends.
//
// It has a reader of its own for Ogg (RFC 3533), because that of pion/opus keeps
// the serial numbers and the flags of pages to itself: with it, a file that
// multiplexes or chains several streams gives their packets in one mixture, a
// file that was cut short ends like a whole one, and a file of another codec is
// refused without naming which. Decoding, for the frames' loudness, is
// pion/opus's.
package speech
