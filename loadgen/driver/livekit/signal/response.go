package signal

import (
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Message is one of the server's: a [Joined], [Resumed], [Answered], [Offered], [Candidate],
// [Published], [Wanted], [Pong], or [Left]; nil is any other.
type Message any

// Joined lets a person into the room.
type Joined struct {
	// PingInterval is how often the server wants a sign of life, in s; 0: never.
	PingInterval int
	// Session is the server's name of the person's presence, with which it is resumed.
	Session string
}

// Resumed takes a [Resumption].
type Resumed struct{}

// Answered answers the client's offer.
type Answered struct{ SDP string }

// Offered is an offer of the server's own, which /rtc has for what a person receives.
type Offered struct {
	SDP string
	ID  uint64 // for the answer; 0 if the server does not count
}

// Candidate is one of the server's candidates.
type Candidate struct {
	Value string // "candidate:…", or ""
	Final bool   // there are no more
	// Subscriber means that it is of the connection that the server offers, over /rtc.
	Subscriber bool
}

// Published is the server's word that it has a track of the client's.
type Published struct{ Track string } // the server's name of it

// Wanted has the client make another offer: for so many more sections of each kind, or, if
// both are 0, for those that it has.
type Wanted struct{ Audios, Videos int }

// Pong answers a ping.
type Pong struct{ Sent int64 } // as the ping said

// Left is the server's goodbye.
type Left struct{ Reason string }

// The numbers of what a server sends in SignalResponse.
const (
	fieldJoin      = 1
	fieldAnswer    = 2
	fieldOffer     = 3
	fieldTrickle   = 4
	fieldPublished = 6
	fieldLeave     = 8
	fieldResumed   = 19
	fieldPong      = 20
	fieldSections  = 25
)

// targetSubscriber is the SignalTarget of the connection that the server offers.
const targetSubscriber = 1

// Decode reads a message of the server's. What it does not know is nil and no error.
func Decode(b []byte) (m Message, err error) {
	err = fields(b, func(number protowire.Number, v value) error {
		if got, err := decode(number, v.bytes); err != nil {
			return fmt.Errorf("field %d: %w", number, err)
		} else if got != nil {
			m = got
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the server's message cannot be read: %w", err)
	}
	return m, nil
}

func decode(field protowire.Number, b []byte) (Message, error) {
	switch field {
	case fieldJoin:
		var m Joined
		return message(b, &m, func(number protowire.Number, v value) error {
			switch number {
			case 2:
				return m.readParticipant(v.bytes)
			case 11:
				m.PingInterval = v.int()
			}
			return nil
		})
	case fieldResumed:
		return Resumed{}, nil
	case fieldAnswer:
		var m Answered
		return message(b, &m, func(number protowire.Number, v value) error {
			if number == 2 {
				m.SDP = string(v.bytes)
			}
			return nil
		})
	case fieldOffer:
		var m Offered
		return message(b, &m, func(number protowire.Number, v value) error {
			switch number {
			case 2:
				m.SDP = string(v.bytes)
			case 3:
				m.ID = v.number
			}
			return nil
		})
	case fieldTrickle:
		var m Candidate
		return message(b, &m, func(number protowire.Number, v value) error {
			switch number {
			case 1:
				var init struct{ Candidate string }
				if err := json.Unmarshal(v.bytes, &init); err != nil {
					return fmt.Errorf("a candidate: %w", err)
				}
				m.Value = init.Candidate
			case 2:
				m.Subscriber = v.number == targetSubscriber
			case 3:
				m.Final = v.number != 0
			}
			return nil
		})
	case fieldPublished:
		var m Published
		return message(b, &m, func(number protowire.Number, v value) error {
			if number != 2 {
				return nil
			}
			return m.readTrack(v.bytes)
		})
	case fieldLeave:
		m := Left{Reason: reasons[0]}
		return message(b, &m, func(number protowire.Number, v value) error {
			if number == 2 && v.number < uint64(len(reasons)) {
				m.Reason = reasons[v.number]
			}
			return nil
		})
	case fieldPong:
		var m Pong
		return message(b, &m, func(number protowire.Number, v value) error {
			if number == 1 {
				m.Sent = int64(v.number)
			}
			return nil
		})
	case fieldSections:
		var m Wanted
		return message(b, &m, func(number protowire.Number, v value) error {
			switch number {
			case 1:
				m.Audios = v.int()
			case 2:
				m.Videos = v.int()
			}
			return nil
		})
	}
	return nil, nil
}

// readParticipant reads a ParticipantInfo.
func (m *Joined) readParticipant(b []byte) error {
	return fields(b, func(number protowire.Number, v value) error {
		if number == 1 {
			m.Session = string(v.bytes)
		}
		return nil
	})
}

// readTrack reads a TrackInfo.
func (m *Published) readTrack(b []byte) error {
	return fields(b, func(number protowire.Number, v value) error {
		if number == 1 {
			m.Track = string(v.bytes)
		}
		return nil
	})
}

// message reads a message's fields into m.
func message[M any](b []byte, m *M, read func(protowire.Number, value) error) (Message, error) {
	if err := fields(b, read); err != nil {
		return nil, err
	}
	return *m, nil
}

// reasons are the numbers of DisconnectReason.
var reasons = []string{
	"without a reason", "as the client asked for", "somebody else came in under the same identity", "the server shuts down",
	"the participant was removed", "the room was deleted", "the server does not know the session", "the client did not connect in time",
	"the session moves elsewhere", "the signal connection was lost", "the room was closed", "the callee did not answer",
	"the callee is busy", "a SIP failure", "the session timed out", "the media failed", "an agent failed",
}

// A value is that of one field: a number, or bytes.
type value struct {
	number uint64
	bytes  []byte
}

// int is the value as a count; one that no client could follow is the largest that is.
func (v value) int() int { return int(min(v.number, 1<<20)) }

var errTruncated = errors.New("it ends too early, or is not protobuf")

// fields reads the fields of a message, in their order. Those that are neither varints nor
// bytes are skipped: nothing here has any.
func fields(b []byte, read func(protowire.Number, value) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errTruncated
		}
		b = b[n:]
		var v value
		switch kind {
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		default:
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
				return errTruncated
			}
			b = b[n:]
			continue
		}
		if n < 0 {
			return errTruncated
		}
		b = b[n:]
		if err := read(number, v); err != nil {
			return err
		}
	}
	return nil
}
