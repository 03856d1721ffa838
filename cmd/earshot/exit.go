package main

import (
	"errors"
	"slices"
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

// precedence lists the exit codes, the one that outweighs all others first.
var precedence = []int{exitInterrupted, exitUsage, exitCouldNotRun, exitInvalid, exitFail, exitPass}

// parts are the errors that an error joins.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // the join itself, not one that is wrapped
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}

// beyondVerdict is what an error says beyond the verdicts, which the report has told; nil if
// that is nothing.
func beyondVerdict(err error) error {
	return errors.Join(slices.DeleteFunc(parts(err), func(e error) bool {
		var v *verdictError
		return e == nil || errors.As(e, &v)
	})...)
}

// exitCode is the exit code of the process for an error of run: of its parts, the one that
// outweighs the others.
func exitCode(err error) int {
	code := exitPass
	for _, e := range parts(err) {
		if c := codeOf(e); slices.Index(precedence, c) < slices.Index(precedence, code) {
			code = c
		}
	}
	return code
}

func codeOf(err error) int {
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
