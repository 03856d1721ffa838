// Package auth authenticates requests and limits their rate.
//
// An [Authenticator] checks a bearer token and returns a [Principal]: who the
// token stands for and what it allows. It also issues and refreshes tokens. A
// [Limiter] counts requests by address and by account against [Limits].
//
// Whether a principal may see, enter or manage a certain room is decided in
// package access: this package knows nothing of rooms. It starts no goroutines,
// and all of its types are safe for concurrent use.
package auth
