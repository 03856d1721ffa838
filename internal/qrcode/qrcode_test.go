package qrcode

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	box = regexp.MustCompile(`viewBox="0 0 (\d+) (\d+)"`)
	run = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)
)

// modules reads the dark modules of a picture, with its edge.
func modules(t *testing.T, svg string) [][]bool {
	t.Helper()
	number := func(text string) (n int) {
		_, err := fmt.Sscan(text, &n)
		require.NoError(t, err)
		return n
	}
	found := box.FindStringSubmatch(svg)
	require.NotNil(t, found, svg)
	require.Equal(t, found[1], found[2])
	all := make([][]bool, number(found[1]))
	for y := range all {
		all[y] = make([]bool, len(all))
	}
	for _, r := range run.FindAllStringSubmatch(svg, -1) {
		for x := range number(r[3]) {
			all[number(r[2])][number(r[1])+x] = true
		}
	}
	return all
}

// TestSVGHasFindersAndAnEdge looks for what a camera looks for: three squares in the
// corners, and a white edge. (That cameras read it was tried by hand, with gozxing.)
func TestSVGHasFindersAndAnEdge(t *testing.T) {
	svg, err := SVG("https://example.org/planned/abcdefghijklmnopqrstuvwxyz")
	require.NoError(t, err)
	dark := modules(t, string(svg))
	size := len(dark)
	require.Equal(t, 33+2*quiet, size, "version 4: up to 62 bytes at level M")
	for i := range size {
		for edge := range quiet {
			assert.False(t, dark[edge][i] || dark[i][edge] || dark[size-1-edge][i] || dark[i][size-1-edge])
		}
	}
	const finder = "1111111\n1000001\n1011101\n1011101\n1011101\n1000001\n1111111\n"
	at := func(x, y int) string {
		var b strings.Builder
		for dy := range 7 {
			for dx := range 7 {
				b.WriteString(map[bool]string{true: "1", false: "0"}[dark[y+dy][x+dx]])
			}
			b.WriteString("\n")
		}
		return b.String()
	}
	far := size - quiet - 7
	assert.Equal(t, finder, at(quiet, quiet))
	assert.Equal(t, finder, at(far, quiet))
	assert.Equal(t, finder, at(quiet, far))
	assert.NotEqual(t, finder, at(far, far))

	_, err = SVG(strings.Repeat("x", 3000))
	assert.Error(t, err, "no code holds as much")
}
