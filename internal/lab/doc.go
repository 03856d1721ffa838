// Package lab has tests play several machines on one: each is a network namespace of
// Linux with an address and a loopback of its own, and all hang on one bridge. The link of
// a machine can be made slow, by a forwarder that passes each packet through a model of
// package network, where Linux's own emulation is not at hand.
//
// The machines share cores, clocks and files. Tests are skipped where namespaces are not
// allowed, as they are to root alone. Nothing but tests imports the package.
package lab
