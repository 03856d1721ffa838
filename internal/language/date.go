package language

import (
	"strconv"
	"strings"
	"time"
)

// Date writes a time with its day, in its own zone, as the language writes dates.
func (t Texts) Date(at time.Time) string {
	zone := strings.Replace(at.Format("UTC-07:00"), "UTC+00:00", "UTC", 1)
	return t.Get("date",
		"weekday", t.Get("date.weekday."+strconv.Itoa(int(at.Weekday()))),
		"day", strconv.Itoa(at.Day()),
		"month", t.Get("date.month."+strconv.Itoa(int(at.Month()))),
		"year", strconv.Itoa(at.Year()),
		"time", at.Format("15:04"),
		"zone", zone,
	)
}
