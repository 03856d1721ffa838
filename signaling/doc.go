// Package signaling puts the signaling server of a process together: it checks the
// [Config], makes the parts, and lays out the paths. The parts are packages of their
// own:
//
//	ws        WebSocket connections: reading, writing, keep-alive
//	wire      the messages of the WebSocket protocol
//	protocol  the WebSocket protocol: what each message does
//	whip      WHIP and WHEP over HTTP
//	api       the HTTP API for rooms, invites, sign-in and members
//	club      transactions over store, rooms and audit log
//	access    who may see, join and manage which room
//	auth      tokens and rate limits
//	liveroom  rooms with people in them: rules and media under one lock
//	apierr    the table from errors to codes
//	panel     the operator's page
//
// A request comes in by protocol, whip or api, is authenticated by auth, admitted by
// access, and carried out by liveroom.
//
// A [Server] has no goroutines of its own. Those of ws and liveroom end with
// [Server.Shutdown].
package signaling
