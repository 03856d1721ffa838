package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/earshot-audio/earshot/internal/wholefile"
)

// A named file is one that a flag names to be written; an empty path is none, and - is
// standard output.
type named struct{ flag, path string }

// isStdout reports whether a path is standard output's.
func isStdout(path string) bool { return path == "-" || path == "/dev/stdout" }

// toStdout reports whether one of the files is standard output.
func toStdout(files ...named) bool {
	for _, f := range files {
		if isStdout(f.path) {
			return true
		}
	}
	return false
}

// forPeople is where the text for people goes: to standard output, unless that is one of
// the files.
func forPeople(stdout, stderr io.Writer, files ...named) io.Writer {
	if toStdout(files...) {
		return stderr
	}
	return stdout
}

// checkNames returns an error for each file that can't be written, or that another flag
// names too.
func checkNames(files ...named) error {
	var wrong []error
	taken := map[string]string{}
	for _, f := range files {
		if f.path == "" {
			continue
		}
		path := f.path
		if isStdout(path) {
			path = "-"
		} else if whole, err := filepath.Abs(path); err == nil {
			path = whole
		}
		if other, twice := taken[path]; twice {
			wrong = append(wrong, fmt.Errorf("%s and %s both write to %s", other, f.flag, f.path))
			continue
		}
		taken[path] = f.flag
		if path == "-" {
			continue
		}
		if err := wholefile.Check(f.path); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", f.flag, err))
		}
	}
	return errors.Join(wrong...)
}

// write writes the file whole, or leaves what was there.
func (f named) write(stdout io.Writer, write func(io.Writer) error) error {
	var err error
	switch {
	case f.path == "":
	case isStdout(f.path):
		var content bytes.Buffer
		if err = write(&content); err == nil {
			_, err = stdout.Write(content.Bytes())
		}
	default:
		err = wholefile.Write(f.path, write)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.flag, err)
	}
	return nil
}
