// Command earshot serves live-audio rooms, and load-tests its own and other servers.
// See the README, or earshot --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/earshot-audio/earshot/internal/serverprocess"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	err := run(serverprocess.WithLauncher(ctx, serverprocess.NewLauncher()), os.Args[1:], os.Stdout, os.Stderr)
	os.Exit(exitCode(err))
}
