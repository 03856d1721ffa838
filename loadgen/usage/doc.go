// Package usage measures what a run's generator and its server use of their machines, and
// books by how much the one, or others, were in the way of the other.
//
// A [Sampler] takes a [Sample] of both at one moment; a [Sampling] takes them beside a loop
// that can't wait for a server that is slow to say what it uses. From two samples an
// [Interference] books, about once a second, what a quota, a hypervisor or full cores cost.
// A [Competition] looks many times a second at a server on the generator's machine.
//
// What is booked goes into the run's [record.Aggregator], which puts figures in doubt for
// it; nothing is judged here. A Sampler is safe for concurrent use, and a Sample is not
// changed once it is taken. The others are for one goroutine each; only a Sampling starts
// goroutines, and [Sampling.Wait] ends with them.
package usage
