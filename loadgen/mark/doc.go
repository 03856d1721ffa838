// Package mark puts a mark into speech that survives decoding, mixing and encoding
// again, and finds it in what a listener gets. So servers that transcode or mix can be
// measured: whose voice it is, which of its frames, and when it came.
//
// The mark is low noise whose every sample is known: a pseudo-random sequence of 10.24 s,
// another one for each source, in the band from 250 to 3600 Hz that even a telephone
// passes on, 4 dB below the speech at every moment. What comes is made white with linear
// prediction, which takes the speech out of the way, and correlated with the sequence.
//
// A [Code] is not changed once it is made and is safe for concurrent use; a [Detector] is
// for one goroutine at a time.
package mark
