// Package network models the networks that people listen over: how long each packet
// takes, and whether it arrives.
//
// A [Path] is one direction of one person's network. The fate of its nth packet depends
// only on the path's seed, n, and the times and sizes of the packets up to it. There is
// no clock, socket or goroutine here. Each packet draws the same number of random
// values, so that changing one figure of a profile does not change the random values of
// the others.
//
// A packet passes, in this order: a bottleneck with a limited bandwidth and a queue that
// drops what does not fit; loss, random and in bursts; and a varying delay.
package network
