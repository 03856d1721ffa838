// Package api serves the HTTP API under /api: rooms, invites, sign-in and members.
//
// A handler decodes its request, checks access (package access), has the work done
// by packages club and liveroom, and encodes the answer. It returns an error instead
// of writing it: [Route] is the one place that writes errors, as JSON with a stable
// code. The package starts no goroutines.
package api
