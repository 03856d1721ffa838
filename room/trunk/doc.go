// Package trunk carries the audio of one room to ears on other servers: in one sequence the
// frames of the mics that may be heard, and the orders about ears and mics.
//
// A [Sender] is at the server that has the room's rules and mics. A [Receiver] is at another one,
// with a part of the room's ears; it runs the ordinary fan-out. Messages may be lost, come
// twice, or come late. A hall that misses one, or hears nothing for a second, is silent until
// it has a snapshot: so an order cannot be lost while the sound goes on. The package knows
// nothing of networks; its owner passes on messages and calls Tick.
package trunk
