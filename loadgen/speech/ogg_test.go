package speech

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// bytes writes the page with the checksum that fits it.
func (p page) bytes() []byte {
	header := make([]byte, pageHeaderSize, pageHeaderSize+len(p.lacing)+len(p.body))
	copy(header, "OggS")
	header[5] = p.flags
	binary.LittleEndian.PutUint64(header[6:], uint64(p.granule))
	binary.LittleEndian.PutUint32(header[14:], p.serial)
	binary.LittleEndian.PutUint32(header[18:], p.sequence)
	header[26] = byte(len(p.lacing))
	all := append(append(header, p.lacing...), p.body...)
	binary.LittleEndian.PutUint32(all[22:], newCRCTable().add(0, all))
	return all
}

// add puts a whole packet on the page.
func (p *page) add(packet []byte) {
	for n := len(packet); ; n -= 255 {
		p.lacing = append(p.lacing, byte(min(n, 255)))
		if n < 255 {
			break
		}
	}
	p.body = append(p.body, packet...)
}

func fileOf(pages ...page) (file []byte) {
	for _, p := range pages {
		file = append(file, p.bytes()...)
	}
	return file
}

// opusHead is the identification header of a mono file.
func opusHead() []byte {
	return []byte("OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00")
}

func opusTags() []byte { return []byte("OpusTags\x00\x00\x00\x00\x00\x00\x00\x00") }

// write makes a file of the given packets, so many audio packets a page.
func write(head, tags []byte, audio [][]byte, aPage int) []page {
	first := page{flags: flagBegin, serial: 7}
	first.add(head)
	second := page{serial: 7, sequence: 1}
	second.add(tags)
	pages := []page{first, second}
	for i := 0; i < len(audio); i += aPage {
		p := page{serial: 7, sequence: uint32(len(pages))}
		for j := i; j < min(i+aPage, len(audio)); j++ {
			p.add(audio[j])
			p.granule = int64(j+1) * samplesPerFrame
		}
		pages = append(pages, p)
	}
	pages[len(pages)-1].flags |= flagEnd
	return pages
}

// silk is a packet of 20 ms by its table of contents: SILK, narrowband, mono.
func silk(n int) []byte {
	p := bytes.Repeat([]byte{0x55}, n)
	p[0] = 1 << 3
	return p
}

func testdata(t testing.TB, name string) []byte {
	file, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return file
}
