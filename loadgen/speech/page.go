package speech

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The page header of RFC 3533, section 6.
const (
	pageHeaderSize = 27
	flagContinued  = 0x01
	flagBegin      = 0x02
	flagEnd        = 0x04
)

// noGranule is the granule position of a page on which no packet ends.
const noGranule = -1

// A page is one page of an Ogg file.
type page struct {
	flags    byte
	granule  int64
	serial   uint32
	sequence uint32
	lacing   []byte // the lengths of the segments
	body     []byte
}

func (p *page) has(flag byte) bool { return p.flags&flag != 0 }

// completes is how many packets end on the page: a segment shorter than 255
// bytes ends one.
func (p *page) completes() (n int) {
	for _, length := range p.lacing {
		if length < 255 {
			n++
		}
	}
	return n
}

// A pageReader reads the pages of an Ogg file one after the other.
type pageReader struct {
	in     io.Reader
	crc    *crcTable
	offset int64 // of the next page
}

// next reads a page and checks its sum. It returns io.EOF after the last one.
func (r *pageReader) next() (*page, error) {
	var header [pageHeaderSize]byte
	n, err := io.ReadFull(r.in, header[:])
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case n >= 4 && string(header[:4]) != "OggS", n < 4 && errors.Is(err, io.ErrUnexpectedEOF):
		if r.offset == 0 {
			return nil, notOgg(header[:n])
		}
		return nil, fmt.Errorf("no Ogg page begins at byte %d, where the one before ends", r.offset)
	case err != nil:
		return nil, r.cut(err)
	case header[4] != 0:
		return nil, fmt.Errorf("the page at byte %d is of Ogg version %d: only 0 is known", r.offset, header[4])
	}
	p := &page{
		flags:    header[5],
		granule:  int64(binary.LittleEndian.Uint64(header[6:])),
		serial:   binary.LittleEndian.Uint32(header[14:]),
		sequence: binary.LittleEndian.Uint32(header[18:]),
		lacing:   make([]byte, header[26]),
	}
	if _, err := io.ReadFull(r.in, p.lacing); err != nil {
		return nil, r.cut(err)
	}
	size := 0
	for _, length := range p.lacing {
		size += int(length)
	}
	p.body = make([]byte, size)
	if _, err := io.ReadFull(r.in, p.body); err != nil {
		return nil, r.cut(err)
	}
	want := binary.LittleEndian.Uint32(header[22:])
	clear(header[22:26])
	if got := r.crc.add(r.crc.add(r.crc.add(0, header[:]), p.lacing), p.body); got != want {
		return nil, fmt.Errorf("the page at byte %d is damaged: its checksum is %08x, not %08x", r.offset, got, want)
	}
	r.offset += int64(pageHeaderSize + len(p.lacing) + size)
	return p, nil
}

// cut names the page in which the file ends.
func (r *pageReader) cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file is cut short within the page at byte %d", r.offset)
	}
	return err
}

// notOgg says what a file that begins otherwise than with an Ogg page is, where
// that can be seen.
func notOgg(begin []byte) error {
	if kind := fileKind(begin); kind != "" {
		return &formatError{what: fmt.Sprintf("it is %s, not Ogg Opus", kind)}
	}
	return &formatError{what: "it is none of Ogg Opus, WAV, FLAC and MP3"}
}

// A crcTable is the remainders of all bytes for the checksum of RFC 3533, section 6:
// polynomial 04c11db7, from the highest bit on, nothing inverted, which none of
// hash/crc32's tables is.
type crcTable [256]uint32

func newCRCTable() *crcTable {
	var table crcTable
	for i := range table {
		r := uint32(i) << 24
		for range 8 {
			top := r & 0x8000_0000
			r <<= 1
			if top != 0 {
				r ^= 0x04c1_1db7
			}
		}
		table[i] = r
	}
	return &table
}

// add continues a checksum, which begins as 0.
func (t *crcTable) add(crc uint32, data []byte) uint32 {
	for _, b := range data {
		crc = crc<<8 ^ t[byte(crc>>24)^b]
	}
	return crc
}
