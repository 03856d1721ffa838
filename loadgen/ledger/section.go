package ledger

import (
	"bytes"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/neteq"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// SamplesPerBin is a frame's length on the RTP clock of Opus, 48 kHz (RFC 7587, section 4.1).
const SamplesPerBin = 960

// maxPending is how many packets of one section may wait for the frame that
// tells where they belong; at 50 packets a second, the whole ring.
const maxPending = ringBins

// A place is an entry of the ledger: the frame that source sent in bin.
type place struct {
	source int
	bin    timebase.Bin
}

// A pending packet has been received and fits several places.
type pending struct {
	timestamp uint32
	at        time.Duration
	unstamped bool
}

// A section follows the packets of one audio m-line of an ear: it knows where
// in the ledger its last packet belonged, or the places where it may have.
type section struct {
	open      bool // a packet has come
	talker    uint32
	sequence  uint16 // the highest so far
	timestamp uint32 // of the packet that places are for

	// places holds one place when the section is identified, several while
	// packets are pending, and none before the first packet that fits.
	places   []place
	first    [1]place // where places begins
	last     lastPlace
	listener *Listener
	source   int  // whose frames buffer plays at present
	plays    bool // there is such a source,
	moved    bool // and its frames come on another section now
	pending  []pending

	// Packets of silence since the last that was identified, and those of them that came
	// where something was owed by its source, counted from 1; 0 if there was none yet.
	silent, replaced, said int

	// For RFC 3550, section 6.4.1, over packets of one talker.
	transit time.Duration
	jitter  float64 // in seconds
	paced   bool    // transit is valid
	// The same, less what the generator sent late.
	actual     time.Duration
	jitterBest float64

	buffer neteq.Buffer // plays what comes
	word   int64        // of the bins that it is in
	passed played       // what it had done when it came there
}

const (
	// maxSilent is for how many packets in a row silence may be a server's own: one and a
	// half seconds. LiveKit sends one second.
	maxSilent = 75
	// maxReplaced is how many of them may come where speech was owed that a server has just
	// muted, in the last owedFor bins: the mic is told a little later.
	maxReplaced, owedFor = 20, 10
)

// pauses reports whether a packet is silence that the server put in where nothing was owed,
// as forwarding servers do when a track begins, is muted or ends. Silence in the place of
// what somebody said is none, nor is what people say themselves.
func (s *section) pauses(sources []*Source, p Packet) bool {
	if !isSilence(p.Payload) || slices.ContainsFunc(sources, func(m *Source) bool { return m.clip.knows(p.Payload) }) {
		return false
	}
	s.silent++
	if s.said > 0 {
		for b := timebase.BinAt(max(p.At, 0)); b > timebase.BinAt(max(p.At, 0))-owedFor; b-- {
			if sources[s.said-1].owes(b) {
				s.replaced++
				break
			}
		}
	}
	return s.silent <= maxSilent && s.replaced <= maxReplaced
}

// isSilence reports whether an Opus payload is silence as servers send it: the frame of
// CELT that libwebrtc's users took for it, with or without zeros behind it, or a frame of
// at most one byte, which is a pause (RFC 6716, section 3.1, and section 2.1.9).
func isSilence(payload []byte) bool {
	if len(payload) <= 2 {
		return true
	}
	return bytes.HasPrefix(payload, []byte{0xf8, 0xff, 0xfe}) && len(bytes.TrimRight(payload[3:], "\x00")) == 0
}

// follow moves the section's places on to the packet's timestamp and keeps
// those that the packet fits.
func (s *section) follow(sources []*Source, timestamp uint32, payload []byte) {
	step := int32(timestamp - s.timestamp)
	if step%SamplesPerBin != 0 {
		s.leave(s.timestamp)
		s.places = s.places[:0]
		return
	}
	kept, before := s.places[:0], s.timestamp
	for _, p := range s.places {
		p.bin += timebase.Bin(step / SamplesPerBin)
		if m := sources[p.source]; m.has(p.bin) && bytes.Equal(m.Frame(p.bin).Payload, payload) {
			kept = append(kept, p)
		}
	}
	if len(kept) == 0 {
		s.leave(before)
	}
	s.places = kept
	s.timestamp = timestamp
}

// A lastPlace is the last place of a section whose time stamps do not lead to the next.
type lastPlace struct {
	place
	timestamp uint32
	known     bool
}

// leave keeps the place that the section had, if it had one. None is overwritten yet.
func (s *section) leave(timestamp uint32) {
	if len(s.places) == 1 {
		s.last = lastPlace{s.places[0], timestamp, true}
	}
}

// mistimedBy is how far time stamps may be from what they should be: half a frame. Servers that stamp
// anew round them.
const mistimedBy = SamplesPerBin / 2

// mistimed reports whether the section has been found again at a place that its time stamps do not lead
// to, of the same source. A player plays by time stamps. A server that stamps anew by when packets come
// stamps those wrong that the generator sent late: perhaps is true of them.
func (s *section) mistimed(sources []*Source) (is, perhaps bool) {
	was := s.last
	if len(s.places) != 1 {
		return false, false
	}
	s.last.known = false
	now := s.places[0]
	if !was.known || now.source != was.source {
		return false, false
	}
	apart := int64(int32(s.timestamp-was.timestamp)) - int64(now.bin-was.bin)*SamplesPerBin
	is = apart >= mistimedBy || apart <= -mistimedBy
	m := sources[now.source]
	return is, is && max(m.late(now.bin), m.late(was.bin)) > doubt.PlayDoubt
}

// search finds every place that a payload received at a time can belong to:
// gone out by then, and not longer ago than a packet may be late. What the generator sends late is
// meant for a bin that is as much older.
func (s *section) search(sources []*Source, timestamp uint32, payload []byte, at time.Duration) {
	s.places = s.places[:0]
	s.timestamp = timestamp
	if s.listener != nil && s.listener.held != nil { // the senders' clocks may be ahead
		at += s.listener.ledger.book.ahead()
	}
	now := timebase.BinAt(max(at, 0))
	for i, m := range sources {
		since := at - record.Lateness - time.Duration(m.latest.Load())
		oldest := timebase.BinAt(max(since, 0))
		length := timebase.Bin(len(m.clip.frames))
		for _, position := range m.clip.at[string(payload)] {
			// The latest bin, not after now, whose frame is at this position.
			back := timebase.Bin((m.position(now) - position)) % length
			if back < 0 {
				back += length
			}
			for b := now - back; b >= oldest; b -= length {
				if m.has(b) && m.sentBy(b, at) && m.Intended(b)+m.late(b) >= at-record.Lateness {
					s.places = append(s.places, place{i, b})
				}
			}
		}
	}
}
