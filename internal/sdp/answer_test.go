package sdp

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestExclusiveMux(t *testing.T) {
	for _, row := range []struct{ name, in, want string }{
		{"a multiplexed section gets the attribute, at its end",
			"v=0\r\nm=audio 9 X 0\r\na=rtcp-mux\r\na=mid:0\r\n",
			"v=0\r\nm=audio 9 X 0\r\na=rtcp-mux\r\na=mid:0\r\na=rtcp-mux-only\r\n"},
		{"each section gets its own",
			"m=audio 9 X 0\r\na=rtcp-mux\r\nm=audio 9 X 0\r\na=rtcp-mux\r\n",
			"m=audio 9 X 0\r\na=rtcp-mux\r\na=rtcp-mux-only\r\nm=audio 9 X 0\r\na=rtcp-mux\r\na=rtcp-mux-only\r\n"},
		{"one that has it keeps it", "m=audio 9 X 0\r\na=rtcp-mux-only\r\na=rtcp-mux\r\n", "m=audio 9 X 0\r\na=rtcp-mux-only\r\na=rtcp-mux\r\n"},
		{"a rejected or a data section is left alone", "m=video 0 X 0\r\na=mid:1\r\n", "m=video 0 X 0\r\na=mid:1\r\n"},
		{"lines end as SDP has it", "m=audio 9 X 0\na=rtcp-mux", "m=audio 9 X 0\r\na=rtcp-mux\r\na=rtcp-mux-only\r\n"},
	} {
		t.Run(row.name, func(t *testing.T) { assert.Equal(t, row.want, ExclusiveMux(row.in)) })
	}
}
