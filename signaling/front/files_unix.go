//go:build unix

package front

import "golang.org/x/sys/unix"

// openFiles returns how many files this process may have open. Go has raised it to the
// hard limit when the process started.
func openFiles() (uint64, bool) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return uint64(limit.Cur), true //nolint:unconvert // it is signed on some systems
}
