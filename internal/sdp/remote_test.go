package sdp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestUpdateKeepsTheSourcesPlaces(t *testing.T) {
	for name, c := range map[string]struct{ has, later, want []uint32 }{
		"a source that is announced":                {[]uint32{0, 0}, []uint32{7, 0}, []uint32{7, 0}},
		"in its own section":                        {[]uint32{0, 0}, []uint32{0, 7}, []uint32{0, 7}},
		"one whose packets came first":              {[]uint32{7, 0}, []uint32{0, 7}, []uint32{7, 0}},
		"one whose section another has":             {[]uint32{7, 0}, []uint32{8, 7}, []uint32{7, 8}},
		"one that takes another's place":            {[]uint32{7, 8}, []uint32{9, 8}, []uint32{9, 8}},
		"a section that was rejected before":        {[]uint32{rejectedSSRC}, []uint32{7}, []uint32{7}},
		"a section more takes a place that is free": {[]uint32{0}, []uint32{0, 7}, []uint32{7}},
		"or that is given up":                       {[]uint32{7}, []uint32{0, 8}, []uint32{8}},
		"and none if there is none":                 {[]uint32{7}, []uint32{7, 8}, []uint32{7}},
		"nothing is announced":                      {[]uint32{7, 0}, []uint32{0, rejectedSSRC}, []uint32{7, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Remote{SSRCs: c.has}
			r.Update(&Remote{SSRCs: c.later})
			assert.Equal(t, c.want, r.SSRCs)
		})
	}
}

func TestVoicesAreSectionsThatSendSomething(t *testing.T) {
	description := func(sections ...string) string {
		return "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + strings.Join(sections, "")
	}
	section := func(lines ...string) string {
		return "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n" + strings.Join(lines, "")
	}
	sends, source, track := "a=sendonly\r\n", "a=ssrc:7 cname:a\r\n", "a=msid:stream track\r\n"
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"by its source":             {description(section(sends, source)), 1},
		"by its track":              {description(section(sends, track)), 1},
		"one that is only open":     {description(section(sends)), 0},
		"one that does not send":    {description(section("a=inactive\r\n", source)), 0},
		"one that was rejected":     {description("m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n" + sends + source), 0},
		"video":                     {description("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" + sends + source), 0},
		"two of three":              {description(section(sends, source), section("a=inactive\r\n"), section(sends, track)), 2},
		"what is no description":    {"nothing", 0},
		"a description without any": {description(), 0},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, Voices(c.text)) })
	}
}
