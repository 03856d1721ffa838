// Package network is a model of the networks that people listen over: how long
// a packet takes, and whether it arrives.
//
// A [Path] is one direction of one person's network. What becomes of its nth
// packet follows from the path's seed, n, and when and how large the packets up
// to it were; there is no clock, no socket and no goroutine in here. Every
// packet costs the same three draws, so that a change of one figure leaves the
// rest of the dice as they fell.
//
// A packet meets, in this order, a bottleneck of a bandwidth with a queue before
// it that drops what does not fit; loss, at random and in bursts; and a delay
// that varies.
package network
