// Command earshot serves live-audio rooms, and load-tests its own and other servers.
// See the README, or earshot --help.
package main

import (
	"context"
	"os"

	// For containers without certificates of their own.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/earshot-audio/earshot/internal/hugepages"
	"github.com/earshot-audio/earshot/internal/serverprocess"
)

// hugeHeap is how much of the heap is to lie in huge pages, in bytes. These are addresses, not
// memory. 15,000 clients in one process use 1.2 GB, and their ears less than half of that.
const hugeHeap = 2 << 30

func main() {
	_ = hugepages.ReserveHeap(hugeHeap) // all works without, but slower
	stdout, stderr := keepPipes()
	ctx := untilSignal(context.Background())
	err := run(serverprocess.WithLauncher(ctx, serverprocess.NewLauncher()), os.Args[1:], stdout, stderr)
	os.Exit(exitCode(err))
}
