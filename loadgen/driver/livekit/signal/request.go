package signal

import (
	"encoding/base64"
	"net/url"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// What the client says of itself. A server makes much depend on it: an SDK for browsers
// has tracks published by the SDP alone, and not when the first packet comes.
const (
	sdkJS           = 1
	sdkVersion      = "2.15.0"
	protocolVersion = 16
)

// A Join is how a person comes into a room by /rtc/v1, with their client's first offer.
type Join struct {
	Offer string
	// Sent is what it offers to send. If it only receives, that has no track: the server is asked
	// to choose what it receives, which is all there is.
	Sent SentTrack
}

// A SentTrack is what a client says of the mic that it sends.
type SentTrack struct {
	Track string // the client's name of it
	RED   bool   // it may be redundant audio (RFC 2198)
	DTX   bool   // nothing is sent in pauses
}

// request begins a JoinRequest with what the client says of itself.
func request() []byte {
	client := varint(nil, 1, sdkJS)
	client = text(client, 2, sdkVersion)
	return nested(nil, 1, varint(client, 3, protocolVersion))
}

// query returns a JoinRequest as the value of the URL's join_request.
func query(request []byte) string {
	return base64.URLEncoding.EncodeToString(nested(nil, 2, request)) // not compressed
}

// Query returns the join as the value of the URL's join_request.
func (j Join) Query() string {
	request := request()
	if j.Sent.Track == "" {
		request = nested(request, 2, varint(nil, 1, 1)) // auto_subscribe
	} else {
		request = nested(request, 5, j.Sent.track())
	}
	return query(nested(request, 6, description("offer", j.Offer, firstOffer)))
}

// A Resumption is how a person takes a session up again whose signal connection was lost.
type Resumption struct {
	// Session is what the server calls it, by [Joined].
	Session string
}

// reasonSignal is the ReconnectReason RR_SIGNAL_DISCONNECTED.
const reasonSignal = 1

// Query returns the resumption as the value of the URL's join_request.
func (r Resumption) Query() string {
	request := varint(request(), 7, 1) // reconnect
	request = varint(request, 8, reasonSignal)
	return query(text(request, 9, r.Session))
}

// Parameters returns the query of /rtc by which a person comes into a room. The server is asked
// to choose what they receive: all there is.
func Parameters() url.Values {
	return url.Values{
		"sdk": {"js"}, "version": {sdkVersion}, "protocol": {strconv.Itoa(protocolVersion)}, "auto_subscribe": {"1"},
	}
}

// Parameters returns the query of /rtc by which a person takes their session up.
func (r Resumption) Parameters() url.Values {
	all := Parameters()
	all.Set("reconnect", "1")
	all.Set("reconnect_reason", strconv.Itoa(reasonSignal))
	all.Set("sid", r.Session)
	return all
}

// firstOffer is the number of a join's offer. Later ones count on from it.
const firstOffer = 1

// TrackSource and the features of a mic, by their numbers.
const (
	sourceMicrophone = 2
	featureNoDTX     = 1
)

// track is the mic's AddTrackRequest.
func (t SentTrack) track() []byte {
	b := text(nil, 1, t.Track)
	b = text(b, 2, "microphone")
	if !t.DTX {
		b = varint(b, 7, 1) // disable_dtx, which servers before audio_features know
	}
	b = varint(b, 8, sourceMicrophone)
	if !t.RED {
		b = varint(b, 13, 1) // disable_red
	}
	if !t.DTX {
		b = varint(b, 17, featureNoDTX)
	}
	return b
}

// AddTrack announces a mic over /rtc, before its offer.
func AddTrack(t SentTrack) []byte { return nested(nil, 4, t.track()) }

// Answer writes the answer to an offer of the server's, which has a number or 0.
func Answer(sdp string, id uint64) []byte {
	return nested(nil, 2, description("answer", sdp, id))
}

// Offer writes a further offer. n counts the client's offers of before.
func Offer(sdp string, n int) []byte {
	return nested(nil, 1, description("offer", sdp, uint64(n)+firstOffer))
}

// Ping asks for a sign of life. rtt is how long the answer to the last one took, in ms.
func Ping(at, rtt int64) []byte {
	return nested(nil, 16, varint(varint(nil, 1, uint64(at)), 2, uint64(rtt)))
}

// reasonClient is the DisconnectReason CLIENT_INITIATED.
const reasonClient = 1

// Leave says goodbye.
func Leave() []byte { return nested(nil, 8, varint(nil, 2, reasonClient)) }

// description is a SessionDescription.
func description(kind, sdp string, id uint64) []byte {
	return varint(text(text(nil, 1, kind), 2, sdp), 3, id)
}

func varint(b []byte, number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), v)
}

func text(b []byte, number protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), v)
}

func nested(b []byte, number protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), v)
}
