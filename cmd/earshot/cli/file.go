package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/earshot-audio/earshot/internal/wholefile"
)

// A File is one that a flag names to be written; an empty path is none, and - is
// standard output.
type File struct{ Flag, Path string }

// IsStdout reports whether a path is standard output's.
func IsStdout(path string) bool { return path == "-" || path == "/dev/stdout" }

// ToStdout reports whether one of the files is standard output.
func ToStdout(files ...File) bool {
	for _, f := range files {
		if IsStdout(f.Path) {
			return true
		}
	}
	return false
}

// ForPeople is where the text for people goes: to standard output, unless that is one of
// the files.
func ForPeople(stdout, stderr io.Writer, files ...File) io.Writer {
	if ToStdout(files...) {
		return stderr
	}
	return stdout
}

// CheckFiles returns an error for each file that can't be written, or that another flag
// names too.
func CheckFiles(files ...File) error {
	var wrong []error
	taken := map[string]string{}
	for _, f := range files {
		if f.Path == "" {
			continue
		}
		path := f.Path
		if IsStdout(path) {
			path = "-"
		} else if whole, err := filepath.Abs(path); err == nil {
			path = whole
		}
		if other, twice := taken[path]; twice {
			wrong = append(wrong, fmt.Errorf("%s and %s both write to %s", other, f.Flag, f.Path))
			continue
		}
		taken[path] = f.Flag
		if path == "-" {
			continue
		}
		if err := wholefile.Check(f.Path); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", f.Flag, err))
		}
	}
	return errors.Join(wrong...)
}

// Write writes the file whole, or leaves what was there.
func (f File) Write(stdout io.Writer, write func(io.Writer) error) error {
	var err error
	switch {
	case f.Path == "":
	case IsStdout(f.Path):
		var content bytes.Buffer
		if err = write(&content); err == nil {
			_, err = stdout.Write(content.Bytes())
		}
	default:
		err = wholefile.Write(f.Path, wholefile.Public, write)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Flag, err)
	}
	return nil
}
