// Package livekit is the driver for LiveKit servers: it speaks their signal protocol over
// /rtc/v1, where a client has one peer connection and makes all offers itself, and asks
// their RoomService for rooms and for what moderators do.
package livekit
