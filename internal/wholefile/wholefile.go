// Package wholefile writes files that are whole or not there: what goes wrong on the way,
// such as a full disk, leaves behind what was there before.
package wholefile

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Public is the mode of new files that everybody may read, and Private of those that nobody else may, before
// the umask.
const (
	Public  fs.FileMode = 0o644
	Private fs.FileMode = 0o600
)

// maxLinks is how many symbolic links are followed.
const maxLinks = 40

// Check returns an error if a file can't be written, so that a command can refuse its
// name before a long run. It leaves nothing behind, and changes no file that is there.
func Check(name string) error {
	name, info, err := resolve(name)
	if err != nil {
		return err
	}
	if info == nil || info.Mode().IsRegular() {
		err = checkRegular(name, info != nil)
	}
	return explain(name, err)
}

func checkRegular(name string, there bool) error {
	if there {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return f.Close()
	}
	f, err := temporary(name, Public)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Write writes a file anew with what write writes: into a temporary file beside it, which
// then takes its name. One that is there keeps its mode, a new one has the given mode. What is no
// regular file, such as a pipe, is written to as it is.
func Write(name string, mode fs.FileMode, write func(io.Writer) error) error {
	var content bytes.Buffer
	if err := write(&content); err != nil {
		return err // nothing has been touched
	}
	name, info, err := resolve(name)
	if err != nil {
		return err
	}
	if info != nil && !info.Mode().IsRegular() {
		return explain(name, fill(name, os.O_WRONLY, content.Bytes()))
	}
	if info != nil {
		mode = info.Mode().Perm()
	}
	err = replace(name, mode, content.Bytes())
	if info != nil && inPlaceOnly(err) {
		err = fill(name, os.O_WRONLY|os.O_TRUNC, content.Bytes())
	}
	return explain(name, err)
}

// Bytes is Write with what is to be in the file.
func Bytes(name string, mode fs.FileMode, content []byte) error {
	return Write(name, mode, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// New writes a file that must not exist.
func New(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, Public)
	if err != nil {
		return err
	}
	if err := finish(f, content); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// replace puts content into a file's place.
func replace(name string, perm fs.FileMode, content []byte) error {
	f, err := temporary(name, perm)
	if err != nil {
		return err
	}
	if err = finish(f, content); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// explain names the file that was asked for, and not the temporary one.
func explain(name string, err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("%s can't be written: %w", name, err)
}

// temporary makes a file beside another, with its permissions.
func temporary(name string, perm fs.FileMode) (*os.File, error) {
	beside := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+rand.Text()[:8]+".tmp")
	return os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
}

// finish writes a file to its end, and onto the disk: some full disks tell only then.
func finish(f *os.File, content []byte) error {
	_, err := f.Write(content)
	if err == nil {
		if err = f.Sync(); errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
			err = nil // this file system can't
		}
	}
	return errors.Join(err, f.Close())
}

// fill writes to what is there already.
func fill(name string, flag int, content []byte) error {
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// inPlaceOnly reports whether a file can't be replaced, though perhaps written: one that is
// mounted into a container, or whose directory is another's.
func inPlaceOnly(err error) bool {
	return errors.Is(err, syscall.EBUSY) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// resolve follows symbolic links, so that the file is replaced and not the link. info is nil
// if there is no file.
func resolve(name string) (string, fs.FileInfo, error) {
	for range maxLinks {
		info, err := os.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return name, nil, nil
		case err != nil:
			return name, nil, err
		case info.IsDir():
			return name, nil, fmt.Errorf("%s is a directory", name)
		case info.Mode()&fs.ModeSymlink == 0:
			return name, info, nil
		}
		if followed, err := os.Stat(name); err == nil && !followed.Mode().IsRegular() && !followed.IsDir() {
			return name, followed, nil // /dev/stdout and its kind: what they name can't always be opened
		}
		to, err := os.Readlink(name)
		if err != nil {
			return name, nil, err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = to
	}
	return name, nil, fmt.Errorf("%s: too many symbolic links", name)
}
