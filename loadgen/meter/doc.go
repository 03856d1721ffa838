// Package meter measures the server under test: by its processes, if they are on this
// machine ([Process], [Processes]), by what it says of itself in its metrics ([Metrics]),
// or by both ([Local]).
//
// A server's metrics may be anybody's: what of them is read has a bound, and what can't be
// true is an error, or unknown. What a server does not tell is never guessed. Everything is
// safe for concurrent use, and nothing starts a goroutine.
package meter
