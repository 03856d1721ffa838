package main

import "time"

// A stream counts what one listener receives of one publisher, by the sequence numbers of RTP alone. It is not safe
// for concurrent use.
type stream struct {
	begun    bool
	first    int64            // the number that it began with, extended to 64 bits
	arrivals []arrival        // in the order of the numbers, from first on
	repeated map[int64]uint64 // by second: packets that had come before
}

// An arrival is when a packet came.
type arrival struct {
	at   time.Time // zero if it did not come
	late bool      // after one that follows it: out of order, or sent again
}

// receive counts a packet with the sequence number, which came at a time.
func (s *stream) receive(number uint16, at time.Time) {
	if !s.begun {
		s.begun, s.first, s.repeated = true, int64(number), map[int64]uint64{}
		s.arrivals = append(s.arrivals, arrival{at: at})
		return
	}
	highest := s.first + int64(len(s.arrivals)) - 1
	// RFC 3550, appendix A.1: the number nearest to the highest so far.
	extended := highest + int64(int16(number-uint16(highest)))
	i := int(extended - s.first)
	switch {
	case i < 0: // before the first: what it follows is not known to be lost
	case i >= len(s.arrivals):
		s.arrivals = append(s.arrivals, make([]arrival, i+1-len(s.arrivals))...)
		s.arrivals[i].at = at
	case s.arrivals[i].at.IsZero():
		s.arrivals[i] = arrival{at: at, late: true}
	default:
		s.repeated[at.Unix()]++
	}
}

// A second is what a stream received in one.
type second struct {
	At       int64  `json:"at"`       // since 1970
	Received uint64 `json:"received"` // different packets
	Late     uint64 `json:"late"`     // of them, those that came after one that follows them
	Lost     uint64 `json:"lost"`     // packets that never came
	Repeated uint64 `json:"repeated"` // packets that had come before
}

// seconds sums a stream up. A packet that was lost counts in the second in which the last one before it came. What
// follows the last packet is not known.
func (s *stream) seconds() []second {
	var all []second
	at := func(unix int64) *second {
		for i := len(all) - 1; i >= 0; i-- {
			if all[i].At == unix {
				return &all[i]
			}
		}
		all = append(all, second{At: unix})
		return &all[len(all)-1]
	}
	var last int64 // the second of the last one in order
	for _, a := range s.arrivals {
		switch {
		case a.at.IsZero():
			at(last).Lost++
		case a.late:
			b := at(last) // where it belongs
			b.Received++
			b.Late++
		default:
			last = a.at.Unix()
			at(last).Received++
		}
	}
	for unix, n := range s.repeated {
		at(unix).Repeated += n
	}
	return all
}
