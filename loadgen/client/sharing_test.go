package client

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestClientsPerSocket(t *testing.T) {
	for _, c := range []struct {
		name           string
		buffer, voices int
		want           int
	}{
		{"a large buffer is shared by the maximum", 8 << 20, 1, 2500},
		{"fewer clients if each receives more voices", 8 << 20, 3, 910},
		{"a larger buffer holds more frames of as many clients", 32 << 20, 3, 910},
		{"fewer clients if the buffer is smaller", 4 << 20, 1, 1365},
		{"the default buffer is shared, too", 0, 1, 69},
		{"no voices count as one voice", 0, 0, 69},
		{"never fewer than the minimum", 4096, 3, 16},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, ClientsPerSocket(c.buffer, c.voices)) })
	}
}
