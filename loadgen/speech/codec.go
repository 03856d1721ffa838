package speech

import "bytes"

// reencode is the advice on how to make a file that can be read.
const reencode = "make one with ffmpeg -i IN -c:a libopus -b:a 24k -frame_duration 20 OUT.ogg"

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
	case bytes.HasPrefix(begin, []byte("fLaC")):
		return "a FLAC file"
	case bytes.HasPrefix(begin, []byte("ID3")), len(begin) > 1 && begin[0] == 0xff && begin[1]&0xe0 == 0xe0:
		return "an MP3 file"
	case bytes.HasPrefix(begin, []byte("\x1a\x45\xdf\xa3")):
		return "a WebM or Matroska file"
	case len(begin) >= 8 && string(begin[4:8]) == "ftyp":
		return "an MP4 file"
	}
	return ""
}
