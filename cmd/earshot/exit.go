package main

import (
	"errors"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/report"
)

// The exit codes of the contract.
const (
	exitPass        = 0
	exitCouldNotRun = 1
	exitUsage       = 2
	exitInvalid     = 98
	exitFail        = 99
	exitInterrupted = 130
)

// An exitError is an error with its exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as bad usage, or as a bad scenario.
func usage(err error) error { return &exitError{exitUsage, err} }

// interrupted marks a run that was ended early.
func interrupted(err error) error { return &exitError{exitInterrupted, err} }

// A verdictError is a verdict other than pass. The report has been printed.
type verdictError struct{ verdict report.Verdict }

func (e *verdictError) Error() string { return "the verdict is " + string(e.verdict) }

// verdict is the error for a verdict; nil for pass.
func verdict(v report.Verdict) error {
	if v == report.Pass {
		return nil
	}
	return &verdictError{v}
}

func isVerdict(err error) bool {
	var v *verdictError
	return errors.As(err, &v)
}

// exitCode is the exit code of the process for an error of run.
func exitCode(err error) int {
	var marked *exitError
	var judged *verdictError
	switch {
	case err == nil:
		return exitPass
	case errors.As(err, &marked):
		return marked.code
	case errors.As(err, &judged) && judged.verdict == report.Fail:
		return exitFail
	case errors.As(err, &judged):
		return exitInvalid
	case strings.HasPrefix(err.Error(), "unknown command"):
		return exitUsage // cobra has no type for it
	}
	return exitCouldNotRun
}
