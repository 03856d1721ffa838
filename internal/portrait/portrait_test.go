package portrait

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// noise is a picture that compresses badly.
func noise(side int) image.Image {
	source := rand.New(rand.NewPCG(1, 2))
	picture := image.NewRGBA(image.Rect(0, 0, side, side))
	for i := range picture.Pix {
		picture.Pix[i] = uint8(source.Uint32())
	}
	return picture
}

func pngOf(t testing.TB, picture image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, picture))
	return b.Bytes()
}

func jpegOf(t testing.TB, picture image.Image) []byte {
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, picture, nil))
	return b.Bytes()
}

func TestMake(t *testing.T) {
	plain := jpegOf(t, image.NewGray(image.Rect(0, 0, 256, 200)))
	located := append(append(append([]byte{}, plain[:2]...), "\xff\xe1\x00\x14Exif\x00\x00GPS 52.5 N.."...), plain[2:]...)
	glass := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	for what, row := range map[string]struct {
		data []byte
		err  error
	}{
		"a JPEG is kept": {plain, nil},
		"a PNG is kept":  {pngOf(t, glass), nil},
		"what says where it was is kept, and does not say so": {located, nil},
		"what follows the picture is dropped":                 {append(append([]byte{}, plain...), "<script>alert(1)</script>"...), nil},
		"noise fits in the end":                               {pngOf(t, noise(200)), nil},
		"noise that is too large is refused":                  {pngOf(t, noise(512)), ErrLong},
		"a side that is too long is refused":                  {pngOf(t, image.NewGray(image.Rect(0, 0, MaxSide+1, 1))), ErrSize},
		"a picture that is cut is refused":                    {plain[:len(plain)/2], ErrFormat},
		"SVG is refused":                                      {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), ErrFormat},
		"a GIF is refused":                                    {[]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), ErrFormat},
		"nothing is refused":                                  {nil, ErrFormat},
	} {
		t.Run(what, func(t *testing.T) {
			made, err := Make(row.data)
			require.ErrorIs(t, err, row.err)
			if err == nil {
				requireKept(t, made)
			}
		})
	}
	made, err := Make(pngOf(t, glass))
	require.NoError(t, err)
	picture, err := jpeg.Decode(bytes.NewReader(made))
	require.NoError(t, err)
	red, _, _, _ := picture.At(4, 4).RGBA()
	assert.Greater(t, red, uint32(0xf000), "what shines through is white: %v", color.White)
}

func requireKept(t testing.TB, made []byte) {
	t.Helper()
	size, err := jpeg.DecodeConfig(bytes.NewReader(made))
	require.NoError(t, err)
	require.LessOrEqual(t, max(size.Width, size.Height), MaxSide)
	require.LessOrEqual(t, len(made), MaxStored)
	for _, trace := range []string{"Exif", "GPS", "<script"} {
		require.NotContains(t, string(made), trace)
	}
}

// FuzzMake holds that whatever is sent, what is kept is a small JPEG.
func FuzzMake(f *testing.F) {
	f.Add(jpegOf(f, image.NewGray(image.Rect(0, 0, 16, 16))))
	f.Add(pngOf(f, noise(8)))
	f.Add([]byte("GIF89a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		made, err := Make(data)
		if err != nil {
			return
		}
		size, err := jpeg.DecodeConfig(bytes.NewReader(made))
		require.NoError(t, err)
		require.LessOrEqual(t, max(size.Width, size.Height), MaxSide)
		require.LessOrEqual(t, len(made), MaxStored)
	})
}
