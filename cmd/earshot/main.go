// Command earshot serves live-audio rooms, and load-tests its own and other servers.
// See the README, or earshot --help.
package main

import (
	"context"
	"os"

	"github.com/earshot-audio/earshot/internal/serverprocess"
)

func main() {
	stdout, stderr := keepPipes()
	ctx := untilSignal(context.Background())
	err := run(serverprocess.WithLauncher(ctx, serverprocess.NewLauncher()), os.Args[1:], stdout, stderr)
	os.Exit(exitCode(err))
}
