// Package operator is a client of an earshot server's HTTP API, for the operator's
// commands. It knows the API by its JSON, as any client does, and imports nothing
// of the server. A [Client] is safe for concurrent use.
package operator
