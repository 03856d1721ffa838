package hugepages

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pageSize is the size of a huge page. It is the same on amd64 and on arm64 with 4 KB pages.
const pageSize = 2 << 20

// settingFile says when the kernel gives huge pages: "always", "madvise" or "never".
const settingFile = "/sys/kernel/mm/transparent_hugepage/enabled"

// errNoHugePages is returned where the kernel gives none on request.
var errNoHugePages = errors.New("the system gives no huge pages on request (" + settingFile + ")")

// available reports whether the kernel gives huge pages on request, and size bytes of addresses.
// The runtime ends the process if it cannot have what it asks for, so this asks first.
func available(size int) error {
	setting, err := os.ReadFile(settingFile)
	if err != nil || strings.Contains(string(setting), "[never]") {
		return errNoHugePages
	}
	addresses, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("cannot reserve %d MB of addresses: %w", size>>20, err)
	}
	return unix.Munmap(addresses)
}

// advise asks for huge pages in the whole huge pages of memory.
func advise(memory []byte) error {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(memory)))
	skip := int(-start & (pageSize - 1))
	if skip >= len(memory) {
		return nil
	}
	if err := unix.Madvise(memory[skip:], unix.MADV_HUGEPAGE); err != nil {
		return fmt.Errorf("cannot ask for huge pages: %w", err)
	}
	return nil
}
