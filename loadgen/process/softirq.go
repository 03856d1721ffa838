package process

import (
	"strings"

	"github.com/prometheus/procfs"
)

// SoftIRQThreads returns the numbers of the kernel's threads that carry packets between this machine's sockets where
// it is too busy to do so at once (ksoftirqd): what waits for them has been sent, and has not come. There are none
// where they can't be seen, as in a container.
func SoftIRQThreads() (threads []int) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil
	}
	for _, p := range all {
		if name, err := p.Comm(); err == nil && strings.HasPrefix(name, "ksoftirqd/") {
			threads = append(threads, p.PID)
		}
	}
	return threads
}
