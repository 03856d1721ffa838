package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameSignal is for how long after the first signal others are taken for the same one: a
// wrapper passes on the Ctrl-C that the terminal sends to all, and a terminal that is closed
// sends several SIGHUP.
const sameSignal = time.Second

// untilSignal returns a context that is cancelled by the first signal that asks the process
// to end. A second one, if it is not the same, ends the process at once.
func untilSignal(parent context.Context) context.Context {
	ctx, cancel := context.WithCancel(parent)
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // else it is nohup's
		signal.Notify(asked, syscall.SIGHUP)
	}
	go func() {
		<-asked
		cancel()
		time.Sleep(sameSignal)
		signal.Reset(os.Interrupt, syscall.SIGTERM)
	}()
	return ctx
}

// An openPipe is standard output or standard error. When its reader has gone, as head does,
// what is written is let go, and nothing ends: the run's files are still to be written, and
// its verdict is the exit code.
type openPipe struct{ file *os.File }

// Fd says which terminal it is, if it is one.
func (p openPipe) Fd() uintptr { return p.file.Fd() }

// Write implements io.Writer.
func (p openPipe) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		return len(b), nil
	}
	return n, err
}

// keepPipes makes writing to a pipe without a reader an error, and not the end of the
// process.
func keepPipes() (stdout, stderr io.Writer) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return openPipe{os.Stdout}, openPipe{os.Stderr}
}
