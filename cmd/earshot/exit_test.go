package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// What is joined to a verdict is neither lost nor outweighed by it, unless the contract says so.
func TestExitCodeOfJoinedErrors(t *testing.T) {
	t.Parallel()
	full := errors.New("--summary s.json: no space left on device")
	for sentence, row := range map[string]struct {
		err  error
		code int
		says string
	}{
		"a pass says nothing":                                 {verdict(report.Pass), cli.ExitPass, ""},
		"a verdict has been told by the report":               {verdict(report.Fail), cli.ExitFail, ""},
		"invalid outweighs fail":                              {errors.Join(verdict(report.Fail), verdict(report.Invalid)), cli.ExitInvalid, ""},
		"a report that was not written outweighs a verdict":   {errors.Join(full, verdict(report.Fail)), cli.ExitCouldNotRun, full.Error()},
		"whichever comes first":                               {errors.Join(verdict(report.Invalid), full), cli.ExitCouldNotRun, full.Error()},
		"an interrupt outweighs all":                          {errors.Join(verdict(report.Fail), full, cli.Interrupted(errors.New("it was interrupted"))), cli.ExitInterrupted, full.Error() + "\nit was interrupted"},
		"bad usage outweighs what could not be done":          {errors.Join(full, cli.Usage(errors.New("no such flag"))), cli.ExitUsage, full.Error() + "\nno such flag"},
		"joins within joins":                                  {errors.Join(nil, errors.Join(verdict(report.Invalid), errors.Join(full))), cli.ExitCouldNotRun, full.Error()},
		"an error that names a verdict's place is no other's": {fmt.Errorf("run 2: %w", verdict(report.Fail)), cli.ExitFail, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, row.code, exitCode(row.err))
			said := ""
			if err := beyondVerdict(row.err); err != nil {
				said = err.Error()
			}
			assert.Equal(t, row.says, said)
		})
	}
}
