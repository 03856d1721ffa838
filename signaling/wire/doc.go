// Package wire defines what travels over the signaling WebSocket and in the
// bodies of HTTP errors: the message types of both directions, the error codes,
// the limits, and their validation. It opens no sockets and knows no rooms, so
// that clients such as the load generator can use it without the server.
//
// A message is one JSON object in one WebSocket text message:
//
//	{"type":"join","id":"7","room":"lobby","role":"listener"}
//
// The type picks the struct; id is the client's own name for a request and is
// echoed in its answer. Messages are plain values: [Encode] writes one, and
// [DecodeClient] and [DecodeServer] read those of one direction. Marshalling a
// message with encoding/json directly would leave its type out.
//
// docs/protocol.md describes the conversation, with an example of each message.
package wire
