package speech

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/earshot-audio/earshot/internal/shellword"
)

// A formatError is of audio that can't be read here, and that other programs can convert.
type formatError struct {
	what string // it is
	path string // of the file, or "" if it has none
	err  error  // of reading it, if there is one
}

func (e *formatError) Unwrap() error { return e.err }

// Error says what it is, and has the line that converts it.
func (e *formatError) Error() string {
	out := "OUT.ogg"
	if e.path != "" {
		out = strings.TrimSuffix(filepath.Base(e.path), filepath.Ext(e.path)) + "-20ms.ogg"
	}
	return fmt.Sprintf("%s: make one with ffmpeg -i %s -vn -ac 1 -c:a libopus -b:a 24k -frame_duration 20 %s",
		e.what, shellword.Quote(cmp.Or(e.path, "IN")), shellword.Quote(out))
}

// codecs are the magics of the first packet of what else is found in Ogg
// files.
var codecs = []struct{ magic, name string }{
	{"\x01vorbis", "Vorbis"},
	{"\x7fFLAC", "FLAC"},
	{"Speex   ", "Speex"},
	{"PCM     ", "PCM"},
	{"CELT    ", "CELT"},
	{"\x80theora", "Theora video"},
	{"BBCD\x00", "Dirac video"},
	{"\x80kate\x00\x00\x00", "Kate text"},
	{"\x4fVP80", "VP8 video"},
	{"fishead\x00", "Ogg Skeleton"},
}

// codecOf names the codec whose stream begins with a packet.
func codecOf(packet []byte) string {
	for _, c := range codecs {
		if bytes.HasPrefix(packet, []byte(c.magic)) {
			return c.name
		}
	}
	return "an unknown codec"
}

// fileKind names a file by its first bytes, or is "".
func fileKind(begin []byte) string {
	switch {
	case len(begin) > 1 && begin[0] == 0xff && begin[1]&0xf6 == 0xf0:
		return "an AAC file"
	case len(begin) > 1 && begin[0] == 0xff && begin[1]&0xe0 == 0xe0:
		return "an MPEG audio file of layer I or II"
	case bytes.HasPrefix(begin, []byte("\x1a\x45\xdf\xa3")):
		return "a WebM or Matroska file"
	case len(begin) >= 8 && string(begin[4:8]) == "ftyp":
		return "an MP4 file"
	}
	return ""
}
