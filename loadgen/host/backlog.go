package host

import (
	"os"
	"strconv"
	"strings"
)

// BacklogDrops returns how many packets the machine's receive backlog has dropped: the
// sum of the second column of Linux's /proc/net/softnet_stat, in hexadecimal, one line a
// CPU.
func BacklogDrops() (total uint64, ok bool) {
	data, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 {
			n, err := strconv.ParseUint(fields[1], 16, 64)
			if err != nil {
				return 0, false
			}
			total += n
		}
	}
	return total, true
}
