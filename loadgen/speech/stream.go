package speech

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// maxPacket bounds an audio packet of one stream (RFC 7845, section 6).
const maxPacket = 61_440

// maxTags bounds the comment header (RFC 7845, section 5.2).
const maxTags = 125_829_120

// readPackets reads the audio packets of an Ogg Opus file that holds one
// logical stream.
func readPackets(in io.Reader) ([][]byte, error) {
	s := stream{pages: pageReader{in: in, crc: newCRCTable()}}
	for {
		p, err := s.pages.next()
		if errors.Is(err, io.EOF) {
			return s.finish()
		}
		if err != nil {
			return nil, err
		}
		if err := s.page(p); err != nil {
			return nil, err
		}
	}
}

// A stream puts the pages of one logical Opus stream back into packets.
type stream struct {
	pages    pageReader
	serial   uint32
	sequence uint32 // of the next page
	seen     int    // pages
	packets  int    // complete ones, headers included
	partial  []byte // a packet that goes on
	open     bool   // partial is one, though it may be empty so far
	granule  int64
	ended    bool

	audio   [][]byte
	samples int64 // of audio, at 48 kHz
}

func (s *stream) page(p *page) error {
	if err := s.belongs(p); err != nil {
		return err
	}
	s.seen++
	s.sequence++
	s.ended = p.has(flagEnd)
	if p.has(flagContinued) != s.open {
		if s.open {
			return fmt.Errorf("page %d does not go on with the packet that page %d began", p.sequence, p.sequence-1)
		}
		return fmt.Errorf("page %d goes on with a packet that no page began", p.sequence)
	}
	audio, samples := len(s.audio), s.samples
	if err := s.split(p); err != nil {
		return err
	}
	return s.position(p, len(s.audio)-audio, s.samples-samples)
}

// belongs refuses a page of any other stream than the first, and a gap.
func (s *stream) belongs(p *page) error {
	switch {
	case s.seen == 0 && !p.has(flagBegin):
		return errors.New("it does not begin with the first page of a stream: its beginning is missing")
	case s.seen == 0:
		s.serial, s.sequence = p.serial, p.sequence
	case s.ended && p.has(flagBegin):
		return &formatError{what: fmt.Sprintf("it is several streams chained one after the other (the second, %s, begins after page %d)", s.begins(p), s.sequence-1)}
	case p.has(flagBegin):
		return &formatError{what: fmt.Sprintf("it is multiplexed: beside Opus it holds %s", s.begins(p))}
	case p.serial != s.serial:
		return &formatError{what: fmt.Sprintf("it is multiplexed: a page of stream %08x stands among those of stream %08x", p.serial, s.serial)}
	case s.ended:
		return fmt.Errorf("page %d comes after the last page of the stream", p.sequence)
	case p.sequence != s.sequence:
		return fmt.Errorf("page %d follows page %d: pages are missing or out of order", p.sequence, s.sequence-1)
	}
	return nil
}

// begins names the codec of the stream that a page begins.
func (s *stream) begins(p *page) string {
	if len(p.body) >= len(opusMagic) && string(p.body[:len(opusMagic)]) == opusMagic {
		return "more Opus"
	}
	return codecOf(p.body)
}

// split cuts the page's segments into packets.
func (s *stream) split(p *page) error {
	body, before := p.body, s.packets
	for _, length := range p.lacing {
		s.partial = append(s.partial, body[:length]...)
		body = body[length:]
		s.open = length == 255
		limit := maxPacket
		if s.packets == 1 {
			limit = maxTags
		}
		if len(s.partial) > limit {
			return fmt.Errorf("packet %d is longer than %d bytes", s.packets, limit)
		}
		if s.open {
			continue
		}
		packet := s.partial
		s.partial = nil
		if err := s.packet(packet); err != nil {
			return err
		}
	}
	switch {
	case s.seen == 1 && (s.packets != 1 || s.open):
		return errors.New("its first page holds not just the identification header (RFC 7845, section 3)")
	case before == 1 && (s.packets > 2 || s.packets == 2 && s.open):
		return errors.New("its comment header shares a page with audio (RFC 7845, section 3)")
	}
	return nil
}

// packet takes the next complete packet.
func (s *stream) packet(data []byte) error {
	s.packets++
	switch s.packets {
	case 1:
		return checkHead(data)
	case 2:
		if len(data) < 8 || string(data[:8]) != "OpusTags" {
			return errors.New("its second packet is no Opus comment header (OpusTags)")
		}
		return nil
	}
	d, err := Duration(data)
	if err != nil {
		return fmt.Errorf("audio packet %d %w", len(s.audio), err)
	}
	s.audio = append(s.audio, data)
	s.samples += int64(d * encodeRate / time.Second)
	return nil
}

// position checks the granule position: the samples at 48 kHz up to the end of
// the page's last complete packet (RFC 7845, section 4).
func (s *stream) position(p *page, packets int, samples int64) error {
	if s.packets < 3 {
		return nil
	}
	first := packets == len(s.audio)
	switch {
	case p.completes() == 0 && p.granule == noGranule:
		return nil
	case p.completes() == 0 && p.has(flagEnd):
		// An encoder that noticed the end late closes with an empty page.
		return nil
	case p.granule < 0:
		return fmt.Errorf("page %d has no valid granule position", p.sequence)
	case first && p.granule < samples && !p.has(flagEnd):
		return fmt.Errorf("page %d ends at sample %d, before the end of its %d packets (RFC 7845, section 4.5)", p.sequence, p.granule, packets)
	case p.granule < s.granule:
		return fmt.Errorf("the granule position goes back from %d to %d on page %d", s.granule, p.granule, p.sequence)
	}
	s.granule = p.granule
	return nil
}

func (s *stream) finish() ([][]byte, error) {
	switch {
	case s.seen == 0:
		return nil, errors.New("it is empty")
	case s.open:
		return nil, errors.New("it is cut short within a packet")
	case s.packets < 2:
		return nil, errors.New("it is cut short: it has no Opus comment header")
	case !s.ended:
		return nil, errors.New("it is cut short: it has no last page (end of stream)")
	case len(s.audio) == 0:
		return nil, errors.New("it has no audio")
	}
	return s.audio, nil
}

const opusMagic = "OpusHead"

// checkHead reads the identification header (RFC 7845, section 5.1) and refuses what
// can't go into an RTP stream of Opus, which is mono or stereo (RFC 7587).
func checkHead(head []byte) error {
	if len(head) < len(opusMagic) || string(head[:len(opusMagic)]) != opusMagic {
		return &formatError{what: fmt.Sprintf("it holds %s, not Opus", codecOf(head))}
	}
	if len(head) < 19 {
		return fmt.Errorf("its Opus header has %d bytes and not the 19 it needs", len(head))
	}
	version, channels, family := head[8], int(head[9]), head[18]
	switch {
	case version>>4 != 0:
		return fmt.Errorf("its Opus header has version %d: only versions below 16 are known", version)
	case channels == 0:
		return errors.New("its Opus header says that it has no channels")
	case family == 0 && channels > 2:
		return fmt.Errorf("its Opus header says %d channels, and a mapping that has at most 2", channels)
	case family == 0:
		return nil
	}
	// The further families have a table: streams, coupled streams, and a
	// mapping of each channel.
	if len(head) < 21+channels {
		return fmt.Errorf("its Opus header has %d bytes, too few for the mapping of %d channels", len(head), channels)
	}
	if streams, coupled := head[19], head[20]; streams != 1 || coupled > 1 {
		return &formatError{what: fmt.Sprintf("it has %d channels in %d streams, and a mic sends mono or stereo", channels, streams)}
	}
	return nil
}
