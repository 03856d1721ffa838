// Package faults holds the fault table, which proves that no verdict is wrong. A
// server with a fault plays against a generator with a fault, and each pair may only
// come out as the table's rule says:
//
//   - a faulty server and a sound generator: fail;
//   - a sound server and a faulty generator: pass or invalid, never fail;
//   - both faulty: fail or invalid, never pass.
//
// The package itself is the faulty server, a WHIP and WHEP server on pion/webrtc. The
// rest is in its tests: the faults of the generator, the table, and the verdicts that
// were wrong once. They also have earshot's own server recover from what its machine,
// its link and its listeners do to it. Both sides are processes of their own, so that each can be stopped,
// starved and measured apart.
//
// A [Server] is safe for concurrent use; whoever makes it closes it.
package faults
