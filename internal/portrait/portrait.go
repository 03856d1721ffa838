// Package portrait makes the small picture of a person that a server keeps out of one that
// somebody has sent: what is stored was written here, and holds pixels and nothing else.
package portrait

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
)

const (
	// MaxUpload is the longest picture that is read, in bytes.
	MaxUpload = 256 << 10
	// MaxStored is the longest that is kept, in bytes.
	MaxStored = 32 << 10
	// MaxSide is its largest width and height in pixels.
	MaxSide = 512
	// Type is the media type of what is kept.
	Type = "image/jpeg"
)

// Errors of pictures that are refused; the texts are for people.
var (
	ErrFormat = errors.New("is no JPEG or PNG picture")
	ErrSize   = fmt.Errorf("must be at most %d by %d pixels", MaxSide, MaxSide)
	ErrLong   = fmt.Errorf("is too large: make it smaller than %d by %d pixels", MaxSide, MaxSide)
)

// Make returns a picture as a JPEG of at most [MaxStored] bytes, without what else the file
// held: where it was taken, and with what. Nothing is decoded before its size is known.
func Make(data []byte) ([]byte, error) {
	size, format, err := config(data)
	switch {
	case err != nil:
		return nil, ErrFormat
	case size.Width < 1 || size.Height < 1 || size.Width > MaxSide || size.Height > MaxSide:
		return nil, ErrSize
	}
	decode := jpeg.Decode
	if format == "png" {
		decode = png.Decode
	}
	picture, err := decode(bytes.NewReader(data))
	if err != nil {
		return nil, ErrFormat
	}
	// What shines through shows white, and not black, as a JPEG would have it.
	flat := image.NewRGBA(picture.Bounds())
	draw.Draw(flat, flat.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(flat, flat.Bounds(), picture, picture.Bounds().Min, draw.Over)
	for _, quality := range []int{85, 70, 50, 30} {
		var made bytes.Buffer
		if err := jpeg.Encode(&made, flat, &jpeg.Options{Quality: quality}); err != nil {
			return nil, fmt.Errorf("write the picture: %w", err)
		}
		if made.Len() <= MaxStored {
			return made.Bytes(), nil
		}
	}
	return nil, ErrLong
}

// config returns the size and the format of a picture.
func config(data []byte) (size image.Config, format string, err error) {
	if size, err = jpeg.DecodeConfig(bytes.NewReader(data)); err == nil {
		return size, "jpeg", nil
	}
	size, err = png.DecodeConfig(bytes.NewReader(data))
	return size, "png", err
}
