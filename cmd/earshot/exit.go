package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/loadgen/report"
)

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
var precedence = []int{cli.ExitInterrupted, cli.ExitUsage, cli.ExitCouldNotRun, cli.ExitInvalid, cli.ExitFail, cli.ExitPass}

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
	code := cli.ExitPass
	for _, e := range parts(err) {
		if c := codeOf(e); slices.Index(precedence, c) < slices.Index(precedence, code) {
			code = c
		}
	}
	return code
}

func codeOf(err error) int {
	var marked *cli.ExitError
	var judged *verdictError
	switch {
	case err == nil:
		return cli.ExitPass
	case errors.As(err, &marked):
		return marked.Code
	case errors.As(err, &judged) && judged.verdict == report.Fail:
		return cli.ExitFail
	case errors.As(err, &judged):
		return cli.ExitInvalid
	case strings.HasPrefix(err.Error(), "unknown command"):
		return cli.ExitUsage // cobra has no type for it
	}
	return cli.ExitCouldNotRun
}
