package calendar

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var starts = time.Date(2026, 12, 4, 20, 0, 0, 0, time.FixedZone("", 60*60))

func TestEventEncode(t *testing.T) {
	e := Event{
		UID: "abc@earshot", Created: starts.Add(-time.Hour), Start: starts, End: starts.Add(90 * time.Minute),
		Summary: `Tea, cake; and \o/`, Description: "With Ada.\nCome in.", URL: "https://example.org/planned/abc",
	}
	assert.Equal(t, strings.ReplaceAll(`BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//earshot//earshot//EN
BEGIN:VEVENT
UID:abc@earshot
DTSTAMP:20261204T180000Z
DTSTART:20261204T190000Z
DTEND:20261204T203000Z
SUMMARY:Tea\, cake\; and \\o/
DESCRIPTION:With Ada.\nCome in.
URL:https://example.org/planned/abc
END:VEVENT
END:VCALENDAR
`, "\n", "\r\n"), string(e.Encode()))
}

// FuzzEventEncode holds that no title gets out of its line, that no line is too long or
// breaks a character, and that what a program reads is the title.
func FuzzEventEncode(f *testing.F) {
	f.Add("plain")
	f.Add("END:VEVENT\r\nBEGIN:VALARM")
	f.Add(strings.Repeat("\U0001F399", 80))
	f.Add(strings.Repeat(`\;,`, 60))
	f.Add("\xff\x00\n\r")
	f.Fuzz(func(t *testing.T, title string) {
		data := string(Event{UID: "abc", Created: starts, Start: starts, End: starts, Summary: title, URL: title}.Encode())
		require.True(t, strings.HasSuffix(data, "\r\n"))
		for _, line := range strings.Split(strings.TrimSuffix(data, "\r\n"), "\r\n") {
			require.LessOrEqual(t, len(line), maxLine)
			require.NotContains(t, line, "\n")
			if utf8.ValidString(title) {
				require.True(t, utf8.ValidString(line), "%q", line)
			}
		}
		lines := strings.Split(strings.ReplaceAll(data, "\r\n ", ""), "\r\n")
		require.Len(t, lines, 14, "13 lines and their end")
		read, ok := strings.CutPrefix(lines[8], "SUMMARY:")
		require.True(t, ok)
		if utf8.ValidString(title) && !strings.ContainsFunc(title, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			require.Equal(t, title, strings.NewReplacer(`\\`, `\`, `\;`, ";", `\,`, ",", `\n`, "\n").Replace(read))
		}
	})
}
