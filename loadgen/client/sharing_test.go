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
		{"a large buffer is shared by as many as fill the batches", 8 << 20, 1, 2500},
		{"less, if each hears more voices", 8 << 20, 3, 910},
		{"less, if the buffer is smaller", 4 << 20, 1, 1365},
		{"the system's default is enough for some", 0, 1, 69},
		{"a room where nobody speaks counts as one with a voice", 0, 0, 69},
		{"never so few that sockets could be spared", 4096, 3, 16},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, ClientsPerSocket(c.buffer, c.voices)) })
	}
}
