//go:build unix

package host

import "syscall"

// openFiles returns how many files this process may have open. (Go has raised the soft
// limit to the hard one.)
func openFiles() (limit uint64, ok bool) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, false
	}
	return uint64(r.Cur), true
}
