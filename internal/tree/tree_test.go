// Package tree_test checks what no single package can: which packages import
// which, that the documents name what exists, and that the tree builds on other
// systems. It has no code of its own; go test runs it like the rest.
package tree_test

import (
	"fmt"
	"os"
	"testing"
)

// TestMain runs the tests at the root of the module, so that they name files as
// the documents do.
func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	m.Run()
}
