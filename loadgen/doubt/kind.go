package doubt

import "time"

// A Kind is a reason why a figure may be the generator's or its machine's
// doing, and not the server's.
type Kind int

const (
	// Late is a frame that the generator sent late.
	Late Kind = iota
	// Stalled is a time in which the generator's process did not run.
	Stalled
	// Contended is a time in which others than the server took its machine's cores, so
	// that joins may have taken longer. What the server itself did not do for want of a
	// core is booked by [Cores.Deprive].
	Contended
	// Dropped is a time in which the generator's side dropped packets.
	Dropped
	// Stepped is a time in which the wall clock was stepped, on which receive
	// stamps are.
	Stepped
	// Withheld is a time in which the generator did not have its cores for a while, since
	// a hypervisor, a quota or others kept them from it. What that did to packets is booked by
	// [Register.Steal].
	Withheld
	// Starved is a time in which the generator's threads waited for a core, whoever had it,
	// so that what it gives up by its own clock may have come to nothing for that.
	Starved
	kinds
)

const (
	// LateDoubt is how late a frame goes out before its latency is in doubt. A
	// figure is not given to less.
	LateDoubt = 250 * time.Microsecond
	// PlayDoubt is how late a frame goes out before what a jitter buffer makes of
	// it is in doubt: half a tick of NetEQ's clock.
	PlayDoubt = 5 * time.Millisecond
	// LateLoss is how late a frame goes out before it is in doubt whose fault its loss
	// is: a server may well drop what is late.
	LateLoss = 100 * time.Millisecond
	// LeastTimeout is less than any timeout of a client or a server: what fails sooner has not
	// been too slow.
	LeastTimeout = time.Second
	// Aftermath is for how long a jitter buffer acts on what it learnt from a
	// doubtful moment.
	Aftermath = 5 * time.Second
	// Lingers is for how long at most its delay is longer for it: it shortens what it plays by
	// 8 ms at a time.
	Lingers = 30 * time.Second
	// BookedWithin is how late a doubt may be booked.
	BookedWithin = time.Second
	// ResentWithin is how much later a packet comes that the generator dropped, and that its
	// listener asks for again: it does so for no longer.
	ResentWithin = 2 * time.Second
)
