package speech

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLoad(t *testing.T) {
	c, err := Load("testdata/mono.ogg")
	require.NoError(t, err)
	assert.Equal(t, "mono.ogg", c.Name)
	assert.NoError(t, Check("testdata/mono.ogg"))
	length, err := Length("testdata/mono.ogg")
	require.NoError(t, err)
	assert.Equal(t, c.Duration(), length)
	assert.Zero(t, c.Undecoded)
	assert.InDelta(t, 2.4, c.Duration().Seconds(), 0.3)
	assert.Len(t, c.Frames, int(c.Duration()/FrameLength))
	assert.Equal(t, 1.0, c.Unique(), "no frame of such short speech has a twin")
	voice := 0
	for _, f := range c.Frames {
		d, err := Duration(f.Payload)
		require.NoError(t, err)
		require.Equal(t, FrameLength, d)
		if f.Voice {
			voice++
		}
	}
	assert.Greater(t, voice, len(c.Frames)/3, "most of it is speech")
	assert.Less(t, voice, len(c.Frames), "and the end is not")
}

func TestLoadAcceptsStereo(t *testing.T) {
	c, err := Load("testdata/stereo.ogg")
	require.NoError(t, err)
	assert.Zero(t, c.Undecoded)
	// A sine of half the full scale has −6.02 − 3.01 dBov.
	middle := c.Frames[len(c.Frames)/2]
	assert.InDelta(t, 9, middle.Level, 1)
	assert.True(t, middle.Voice)
}

func TestLevelOfSilenceIs127(t *testing.T) {
	c, err := Load("testdata/silence.ogg")
	require.NoError(t, err)
	for i, f := range c.Frames {
		assert.EqualValues(t, Silent, f.Level, "frame %d", i)
		assert.False(t, f.Voice, "frame %d", i)
	}
	assert.Less(t, c.Unique(), 0.2, "silence is all alike")
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct{ path, err string }{
		"a file that is not there":      {filepath.Join(dir, "none.ogg"), "open audio: "},
		"a directory":                   {dir, "is no regular file"},
		"a script beside the recording": {"parse_test.go", "it is none of Ogg Opus, WAV, FLAC and MP3: make one with ffmpeg"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Load(tt.path)
			require.ErrorContains(t, err, tt.err)
			assert.Nil(t, c)
			assert.Equal(t, err, Check(tt.path), "checking finds the same")
		})
	}
}

func TestLoadEncodesOtherFrameLengthsAnew(t *testing.T) {
	for length, path := range map[int]string{60: "testdata/frames60.ogg", 40: "testdata/frames40.ogg", 10: "testdata/frames10.ogg"} {
		t.Run(fmt.Sprint(length, " ms"), func(t *testing.T) {
			require.NoError(t, Check(path))
			f, err := os.Open(path)
			require.NoError(t, err)
			defer f.Close()
			packets, err := readPackets(f)
			require.NoError(t, err)
			c, err := Load(path)
			require.NoError(t, err)
			var long time.Duration
			for _, p := range packets {
				d, err := Duration(p)
				require.NoError(t, err)
				long += d
			}
			assert.InDelta(t, long.Seconds(), c.Duration().Seconds(), FrameLength.Seconds(), "it is as long as it was")
			assert.Zero(t, c.Undecoded)
			before, err := decode(packets)
			require.NoError(t, err)
			var now [][]byte
			for _, f := range c.Frames {
				require.NoError(t, checkDuration(f.Payload))
				now = append(now, f.Payload)
			}
			after, err := decode(now)
			require.NoError(t, err)
			assert.InEpsilon(t, energy(before), energy(after), 0.2, "it is as loud as it was")
		})
	}
}

func energy(samples []float32) (sum float64) {
	for _, v := range samples {
		sum += float64(v) * float64(v)
	}
	return sum
}

func TestParseAccepts(t *testing.T) {
	audio := [][]byte{silk(40), silk(300), {0x08}, silk(255), silk(510)}
	surround := append(opusHead(), 1, 1, 0, 1)
	surround[9], surround[18] = 2, 1
	for name, pages := range map[string][]page{
		"a packet a page":            write(opusHead(), opusTags(), audio, 1),
		"all packets on one page":    write(opusHead(), opusTags(), audio, len(audio)),
		"stereo by a mapping table":  write(surround, opusTags(), audio, 2),
		"a version with a new minor": write(slices.Replace(opusHead(), 8, 9, 15), opusTags(), audio, 2),
		"tags with padding":          write(opusHead(), append(opusTags(), make([]byte, 900)...), audio, 2),
		"a last page that trims": func() []page {
			pages := write(opusHead(), opusTags(), audio, 2)
			pages[len(pages)-1].granule -= 500
			return pages
		}(),
		"a first page that trims, being the last": func() []page {
			pages := write(opusHead(), opusTags(), audio, len(audio))
			pages[2].granule = 100
			return pages
		}(),
		"a recording whose clock began long ago": func() []page {
			pages := write(opusHead(), opusTags(), audio, 1)
			for i := range pages[2:] {
				pages[2+i].granule += 1 << 40
			}
			return pages
		}(),
		"an empty last page": func() []page {
			pages := write(opusHead(), opusTags(), audio, len(audio))
			pages[2].flags = 0
			return append(pages, page{flags: flagEnd, serial: 7, sequence: 3, granule: pages[2].granule})
		}(),
		"tags and audio that go on over pages": continued(audio),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Parse("test", bytes.NewReader(fileOf(pages...)))
			require.NoError(t, err)
			require.Len(t, c.Frames, len(audio))
			for i, f := range c.Frames {
				assert.Equal(t, audio[i], f.Payload, "frame %d", i)
			}
		})
	}
}

// continued puts every packet on pages of one segment.
func continued(audio [][]byte) []page {
	pages := write(opusHead(), append(opusTags(), make([]byte, 600)...), audio, 1)
	split := pages[:1:1]
	for _, p := range pages[1:] {
		body := p.body
		for i, length := range p.lacing {
			q := page{serial: 7, sequence: uint32(len(split)), granule: noGranule, lacing: []byte{length}, body: body[:length]}
			body = body[length:]
			if i > 0 {
				q.flags |= flagContinued
			}
			if length < 255 {
				q.granule, q.flags = p.granule, q.flags|p.flags
			}
			split = append(split, q)
		}
	}
	return split
}

func TestParseRefuses(t *testing.T) {
	mono := testdata(t, "mono.ogg")
	audio := [][]byte{silk(40), silk(300), silk(40)}
	whole := func() []page { return write(opusHead(), opusTags(), audio, 1) }
	edit := func(edit func(p []page)) []byte {
		pages := whole()
		edit(pages)
		return fileOf(pages...)
	}
	begin := func(magic string) []byte {
		return fileOf(write([]byte(magic+strings.Repeat("\x00", 30)), opusTags(), audio, 1)...)
	}
	head := func(change func(head []byte) []byte) []byte {
		return fileOf(write(change(opusHead()), opusTags(), audio, 1)...)
	}
	other := func(flags byte, body string) page {
		p := page{flags: flags, serial: 8}
		p.add([]byte(body))
		return p
	}

	for name, tt := range map[string]struct {
		file []byte
		err  string
	}{
		"an empty file":        {nil, "it is empty"},
		"three bytes":          {[]byte("Ogg"), "it is none of Ogg Opus, WAV, FLAC and MP3"},
		"a WAV file":           {[]byte("RIFF\x00\x00\x00\x00WAVEfmt and so on and so on"), "it is a WAV file whose format is"},
		"an MP3 file":          {[]byte("\xff\xfb\x90\x00 and so on and so on and so on"), "it is an MP3 file"},
		"a native FLAC file":   {[]byte("fLaC and so on and so on and so on and so on"), "it is a FLAC file"},
		"a WebM file":          {[]byte("\x1a\x45\xdf\xa3 and so on and so on and so on"), "it is a WebM or Matroska file"},
		"an MP4 file":          {[]byte("\x00\x00\x00\x20ftypisom and so on and so on and so"), "it is an MP4 file"},
		"Vorbis":               {begin("\x01vorbis"), "it holds Vorbis, not Opus: make one with ffmpeg"},
		"FLAC in Ogg":          {begin("\x7fFLAC"), "it holds FLAC, not Opus"},
		"Speex":                {begin("Speex   "), "it holds Speex, not Opus"},
		"a codec nobody knows": {begin("whatever"), "it holds an unknown codec, not Opus"},

		"a flipped bit":            {flip(mono, len(mono)/2), "is damaged: its checksum is"},
		"a flipped bit in a flag":  {flip(mono, 5), "the page at byte 0 is damaged"},
		"a cut within a page":      {mono[:len(mono)-100], "the file is cut short within the page at byte"},
		"a cut within a header":    {mono[:60], "the file is cut short within the page at byte 47"},
		"a cut between two pages":  {fileOf(whole()[:4]...), "it is cut short: it has no last page"},
		"a cut after the headers":  {fileOf(whole()[:2]...), "it is cut short: it has no last page"},
		"a cut after the first":    {fileOf(whole()[:1]...), "it has no Opus comment header"},
		"a cut within a packet":    {fileOf(continued(audio)[:6]...), "it is cut short within a packet"},
		"bytes after the end":      {append(fileOf(whole()...), make([]byte, 64)...), "no Ogg page begins at byte"},
		"a missing page":           {fileOf(append(whole()[:3], whole()[4:]...)...), "page 4 follows page 2: pages are missing or out of order"},
		"its beginning missing":    {fileOf(whole()[1:]...), "its beginning is missing"},
		"a page after the last":    {edit(func(p []page) { p[3].flags = flagEnd }), "page 4 comes after the last page of the stream"},
		"Ogg of another version":   {version(fileOf(whole()...)), "is of Ogg version 1"},
		"no audio":                 {edit(func(p []page) { p[1].flags = flagEnd })[:47+28+16], "it has no audio"},
		"no tags":                  {fileOf(write(opusHead(), silk(40), audio, 1)...), "its second packet is no Opus comment header"},
		"tags that share a page":   {edit(func(p []page) { p[1].add(silk(40)) }), "its comment header shares a page with audio"},
		"a head that shares":       {edit(func(p []page) { p[0].add(opusTags()) }), "its first page holds not just the identification header"},
		"a continuation of none":   {edit(func(p []page) { p[3].flags = flagContinued }), "page 3 goes on with a packet that no page began"},
		"a packet not continued":   {edit(func(p []page) { p[2].lacing, p[2].body = []byte{255}, silk(255) }), "page 3 does not go on with the packet that page 2 began"},
		"a packet without an end":  {fileOf(endless()...), "is longer than 61440 bytes"},
		"a packet without a bit":   {edit(func(p []page) { p[3].lacing, p[3].body = []byte{0}, nil }), "audio packet 1 is empty"},
		"no granule position":      {edit(func(p []page) { p[3].granule = noGranule }), "page 3 has no valid granule position"},
		"a granule too small":      {edit(func(p []page) { p[2].granule = 959 }), "page 2 ends at sample 959, before the end of its 1 packets"},
		"a granule that goes back": {edit(func(p []page) { p[4].granule = 1000 }), "the granule position goes back from 1920 to 1000 on page 4"},

		"two files chained":           {slices.Concat(fileOf(whole()...), fileOf(other(flagBegin, "OpusHead")), fileOf(whole()...)), "it is several streams chained one after the other (the second, more Opus, begins after page 4): make one with ffmpeg"},
		"two chained with one serial": {slices.Concat(fileOf(whole()...), fileOf(whole()...)), "it is several streams chained"},
		"multiplexed with a skeleton": {slices.Concat(fileOf(whole()[:1]...), fileOf(other(flagBegin, "fishead\x00")), fileOf(whole()[1:]...)), "it is multiplexed: beside Opus it holds Ogg Skeleton"},
		"multiplexed with video":      {slices.Concat(fileOf(whole()[:1]...), fileOf(other(flagBegin, "\x80theora")), fileOf(whole()[1:]...)), "it is multiplexed: beside Opus it holds Theora video: make one with ffmpeg"},
		"a page of another stream":    {slices.Concat(fileOf(whole()[:3]...), fileOf(other(0, "x")), fileOf(whole()[3:]...)), "it is multiplexed: a page of stream 00000008 stands among those of stream 00000007: make one with ffmpeg"},

		"a short head":             {head(func(h []byte) []byte { return h[:18] }), "its Opus header has 18 bytes"},
		"a head of version 16":     {head(func(h []byte) []byte { h[8] = 16; return h }), "its Opus header has version 16"},
		"no channels":              {head(func(h []byte) []byte { h[9] = 0; return h }), "it has no channels"},
		"too many channels":        {head(func(h []byte) []byte { h[9] = 3; return h }), "says 3 channels"},
		"surround":                 {head(func(h []byte) []byte { h[9], h[18] = 6, 1; return append(h, 4, 2, 0, 4, 1, 2, 3, 5) }), "it has 6 channels in 4 streams, and a mic sends mono or stereo: make one with ffmpeg"},
		"surround without its map": {head(func(h []byte) []byte { h[9], h[18] = 6, 1; return append(h, 4) }), "too few for the mapping of 6 channels"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Parse("test", bytes.NewReader(tt.file))
			require.ErrorContains(t, err, tt.err)
			assert.Nil(t, c)
		})
	}
}

func TestParseRefusesTooLarge(t *testing.T) {
	big := page{flags: flagBegin, serial: 7}
	big.add(opusHead())
	tags := page{serial: 7, sequence: 1, lacing: bytes.Repeat([]byte{255}, 255), body: make([]byte, 255*255), granule: noGranule}
	_, err := Parse("test", &repeat{first: big.bytes(), then: tags})
	assert.ErrorContains(t, err, "larger than 64 MiB")
}

// repeat reads a page, and then one page over and over, as one packet.
type repeat struct {
	first []byte
	then  page
}

func (r *repeat) Read(into []byte) (int, error) {
	if len(r.first) == 0 {
		r.first = r.then.bytes()
		r.then.sequence++
		r.then.flags = flagContinued
	}
	n := copy(into, r.first)
	r.first = r.first[n:]
	return n, nil
}

func flip(file []byte, at int) []byte {
	file = slices.Clone(file)
	file[at] ^= 0x10
	return file
}

func version(file []byte) []byte {
	file[4] = 1
	return file
}

func endless() []page {
	pages := write(opusHead(), opusTags(), [][]byte{silk(255)}, 1)[:3]
	pages[2].flags, pages[2].granule = 0, noGranule
	pages[2].lacing = bytes.Repeat([]byte{255}, 255)
	pages[2].body = silk(255 * 255)
	return pages
}

func TestDuration(t *testing.T) {
	ms := time.Millisecond
	frames := []time.Duration{
		10 * ms, 20 * ms, 40 * ms, 60 * ms, // SILK, narrowband
		10 * ms, 20 * ms, 40 * ms, 60 * ms, // medium band
		10 * ms, 20 * ms, 40 * ms, 60 * ms, // wideband
		10 * ms, 20 * ms, 10 * ms, 20 * ms, // hybrid
		ms * 5 / 2, 5 * ms, 10 * ms, 20 * ms, // CELT, narrowband
		ms * 5 / 2, 5 * ms, 10 * ms, 20 * ms,
		ms * 5 / 2, 5 * ms, 10 * ms, 20 * ms,
		ms * 5 / 2, 5 * ms, 10 * ms, 20 * ms, // full band
	}
	for config, frame := range frames {
		for _, stereo := range []byte{0, 4} {
			toc := byte(config<<3) | stereo
			for code, count := range []int{1, 2, 2} {
				got, err := Duration([]byte{toc | byte(code)})
				require.NoError(t, err)
				assert.Equal(t, time.Duration(count)*frame, got, "configuration %d, code %d", config, code)
			}
			for count := range 64 {
				got, err := Duration([]byte{toc | 3, 0xc0 | byte(count)})
				want := time.Duration(count) * frame
				if count == 0 || want > 120*ms {
					assert.Error(t, err, "configuration %d, %d frames", config, count)
					continue
				}
				require.NoError(t, err)
				assert.Equal(t, want, got, "configuration %d, %d frames", config, count)
			}
		}
	}
	for _, p := range [][]byte{nil, {3}} {
		_, err := Duration(p)
		assert.Error(t, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"mono.ogg", "stereo.ogg", "silence.ogg"} {
		audio, err := readPackets(bytes.NewReader(testdata(f, name)))
		require.NoError(f, err)
		// Small files keep the fuzzer quick.
		file := fileOf(write(opusHead(), opusTags(), audio[len(audio)/2:][:3], 2)...)
		f.Add(file)
		f.Add(file[:len(file)/2])
	}
	f.Add(fileOf(continued([][]byte{silk(40), silk(600)})...))
	f.Fuzz(func(t *testing.T, file []byte) {
		// Without valid checksums the fuzzer would never see a packet.
		for _, file := range [][]byte{file, repair(file)} {
			c, err := Parse("fuzz", bytes.NewReader(file))
			if err != nil {
				require.Nil(t, c)
				continue
			}
			require.NotEmpty(t, c.Frames)
			for _, frame := range c.Frames {
				d, err := Duration(frame.Payload)
				require.NoError(t, err)
				require.Equal(t, FrameLength, d)
				require.LessOrEqual(t, frame.Level, uint8(Silent))
			}
			require.LessOrEqual(t, c.Undecoded, len(c.Frames))
		}
	})
}

// repair gives all of a file's pages the checksums that fit them.
func repair(file []byte) []byte {
	file = slices.Clone(file)
	for at := 0; ; {
		next := bytes.Index(file[at:], []byte("OggS"))
		if next < 0 {
			return file
		}
		at += next
		p := file[at:]
		if len(p) < pageHeaderSize || len(p) < pageHeaderSize+int(p[26]) {
			return file
		}
		size := pageHeaderSize + int(p[26])
		for _, length := range p[pageHeaderSize:size] {
			size += int(length)
		}
		if len(p) < size {
			return file
		}
		clear(p[22:26])
		sum := newCRCTable().add(0, p[:size])
		p[22], p[23], p[24], p[25] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		at += size
	}
}
