package front

import "fmt"

const (
	// ownFiles and ownShare are what the process keeps of its file descriptors for itself:
	// the store, media sockets, a connection to NATS, profiles.
	ownFiles = 128
	ownShare = 32
	// most is how many connections there may be if the configuration does not say, however
	// many files may be open: each takes some 20 KB.
	most = 1 << 16
)

// connections returns how many connections the process can have, if it may open so many
// files.
func connections(files uint64) int {
	files = min(files, 1<<30)
	return int(files) - ownFiles - int(files/ownShare)
}

// Limit returns how many connections there may be: as many as wanted, or a default if that
// is 0. It fails if the process's limit of open files (RLIMIT_NOFILE) does not allow them.
func Limit(wanted int) (int, error) {
	files, known := openFiles()
	if !known {
		files = most * 2
	}
	can := connections(files)
	switch {
	case can < MinConnections:
		return 0, fmt.Errorf("%d open files are too few: raise the limit (ulimit -n) to at least 1024", files)
	case wanted == 0:
		return min(can, most), nil
	case wanted > can:
		return 0, fmt.Errorf("%d connections need more open files than the %d that are allowed, which is enough for %d: raise the limit (ulimit -n), or allow fewer", wanted, files, can)
	case wanted < MinConnections:
		return 0, fmt.Errorf("%d connections are too few to serve anybody: allow at least %d", wanted, MinConnections)
	}
	return wanted, nil
}
