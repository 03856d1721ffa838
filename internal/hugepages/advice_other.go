//go:build !linux

package hugepages

import "errors"

func available(int) error { return errors.New("huge pages are asked for on Linux only") }

func advise([]byte) error { return nil }
