// Package livekit is the driver for LiveKit servers: it speaks their signal protocol over
// /rtc/v1, where a client has one peer connection and makes all offers itself, or over /rtc
// where the server lacks that, which offers itself what a client receives. It asks their
// RoomService for rooms and for what moderators do.
package livekit
