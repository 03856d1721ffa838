// Package calendar writes iCalendar files (RFC 5545) with one event, which every calendar
// program takes.
package calendar

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Event is an event with a beginning and an end. It is a value.
type Event struct {
	// UID is the same for the event for ever: whoever takes it twice has it once.
	UID string
	// Created is when the event was made. It is not when it is.
	Created    time.Time
	Start, End time.Time
	Summary    string
	// Description may have several lines.
	Description string
	URL         string
}

// maxLine is the longest line in bytes, without its end (RFC 5545, section 3.1).
const maxLine = 75

// Encode returns the file. Its times are in UTC, so no time zone has to be described.
func (e Event) Encode() []byte {
	var b strings.Builder
	for _, line := range []string{
		"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//earshot//earshot//EN",
		"BEGIN:VEVENT",
		"UID:" + text(e.UID),
		"DTSTAMP:" + utc(e.Created),
		"DTSTART:" + utc(e.Start),
		"DTEND:" + utc(e.End),
		"SUMMARY:" + text(e.Summary),
		"DESCRIPTION:" + text(e.Description),
		"URL:" + uri(e.URL),
		"END:VEVENT", "END:VCALENDAR",
	} {
		fold(&b, line)
	}
	return []byte(b.String())
}

// utc writes a time (RFC 5545, section 3.3.5, form 2).
func utc(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// text escapes a text (RFC 5545, section 3.3.11). Control characters, which it may not
// have, are spaces.
func text(s string) string {
	s = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "\uFFFD"))
	return uri(s)
}

// uri returns a value that needs no escapes, without what would end its line.
func uri(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// fold writes a line, broken into several if it is too long, each but the first after a
// space. No character is broken.
func fold(b *strings.Builder, line string) {
	room := maxLine
	for len(line) > room {
		at := room
		for at > 0 && !utf8.RuneStart(line[at]) {
			at--
		}
		b.WriteString(line[:at] + "\r\n ")
		line, room = line[at:], maxLine-1
	}
	b.WriteString(line + "\r\n")
}
