package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// unsynchronised is the status of a kernel whose wall clock no service disciplines
// (STA_UNSYNC of linux/timex.h).
const unsynchronised = 0x40

// discipline returns how far the wall clock is from UTC at most, if the kernel knows:
// while an NTP or PTP service disciplines it.
func discipline() (within time.Duration, known bool) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil || t.Status&unsynchronised != 0:
		return 0, false
	case state != unix.TIME_OK:
		return 0, false // a leap second is near, which services of this world treat in different ways
	case t.Esterror <= 0 || t.Maxerror <= 0:
		// Who states no error has not measured any: systemd-timesyncd, for one, sets
		// both to 0 whatever the error is.
		return 0, false
	}
	return time.Duration(t.Maxerror) * time.Microsecond, true
}
