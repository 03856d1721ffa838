// Package qrcode draws QR codes as SVG.
package qrcode

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// quiet is the width of the white edge in modules, without which a code cannot be told from
// what is around it (ISO/IEC 18004, section 9.1).
const quiet = 4

// SVG returns the QR code of a text as an SVG picture that needs no style. Its correction is
// level M: 15 % of it may be damaged. The error is that of a text that is too long.
func SVG(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("make a QR code: %w", err)
	}
	size := code.Bounds().Dx()
	var path strings.Builder
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && dark(code.At(x, y)) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	edge := size + 2*quiet
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges">`+
		`<path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`, edge, edge, edge, edge, path.String()), nil
}

func dark(c color.Color) bool {
	red, _, _, _ := c.RGBA()
	return red == 0
}
