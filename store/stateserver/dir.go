package stateserver

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
)

// ErrBusy means that another process uses the directory.
var ErrBusy = errors.New("another server uses this store")

// minFreeBytes is how much of the disk must be free at the start. A block
// of a JetStream file is that large, and a server that starts with less would
// soon stop.
const minFreeBytes = 8 << 20

// prepareDir makes a data directory and checks that it can be written, by writing:
// that finds missing permissions, quotas, read-only file systems and full disks.
func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	path := filepath.Join(dir, ".probe")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("the data directory %s cannot be written: %w", dir, err)
	}
	block := make([]byte, 1<<20)
	for written := 0; written < minFreeBytes && err == nil; written += len(block) {
		_, err = f.Write(block)
	}
	err = errors.Join(err, f.Sync(), f.Close(), os.Remove(path))
	if err != nil {
		return fmt.Errorf("the data directory %s has no room for %d MiB: free some, or choose another: %w", dir, minFreeBytes>>20, err)
	}
	return nil
}

// warnLoose warns of a data directory into which everybody can put files, so that they can
// replace its keys. It is no error: systems that give a container a volume make such ones.
func warnLoose(dir string, log *slog.Logger) {
	info, err := os.Stat(dir)
	if err == nil && info.Mode().Perm()&0o002 != 0 && runtime.GOOS != "windows" { // where it says nothing
		log.Warn("everybody on this machine can put files into the data directory, and so replace its keys: chmod 700 it, or choose another",
			"directory", dir, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	}
}

// probeBytes is how much ProbeDir writes.
const probeBytes = 4 << 10

// ProbeDir returns why a little cannot be written to a data directory: a full disk, a
// quota, a file system that has become read-only.
func ProbeDir(dir string) error {
	path := filepath.Join(dir, ".probe")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = f.Write(make([]byte, probeBytes))
		err = errors.Join(err, f.Sync(), f.Close(), os.Remove(path))
	}
	if err != nil {
		return fmt.Errorf("the data directory %s cannot be written: %w", dir, err)
	}
	return nil
}

// lock keeps a data directory from being used by two servers at once.
type lock struct {
	file *os.File
}

// lockDir takes the lock of a directory. [ErrBusy]: another process has it. The
// system gives it back when the process ends, however it ends.
func lockDir(dir string) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("the data directory %s: %w (%w)", dir, ErrBusy, err), f.Close())
	}
	return &lock{f}, nil
}

func (l *lock) close() error { return l.file.Close() }
