// Command earshot serves live-audio rooms and load-tests them, or anybody
// else's. See the README, or earshot --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	err := run(withLauncher(ctx, newLauncher()), os.Args[1:], os.Stdout, os.Stderr)
	os.Exit(exitCode(err))
}
