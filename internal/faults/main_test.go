//go:build unix

package faults

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// sideBySide is how many cells are played at the same time at most. They mostly wait.
const sideBySide = 14

// folder is where the programs are built.
var folder string

func TestMain(m *testing.M) {
	if os.Getenv(asNeighbour) != "" {
		burn()
		return
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) (code int) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("skipped: these tests play in real time")
		return 0
	}
	var err error
	if folder, err = os.MkdirTemp("", "earshot-faults"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }() // a temporary folder may stay
	if err := flag.Set("test.parallel", strconv.Itoa(sideBySide)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if code = m.Run(); code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
