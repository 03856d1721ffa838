// Package signal reads and writes the few of LiveKit's signal messages that a load test
// needs, in protobuf's wire format. The field numbers are those of livekit_rtc.proto and
// livekit_models.proto, protocol 16.
//
// LiveKit's own package of them, github.com/livekit/protocol, brings in its logger, gRPC,
// Twirp, NATS's and Redis' clients: more than all of earshot, for a dozen fields.
package signal
