package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// writable tells before a run that its report could not be written after it.
// An empty path is none.
func writable(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("%s can't be written: %w", path, err)
	}
	return f.Close()
}

// writeFile writes a file anew.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(write(w), w.Flush(), f.Close())
}
