package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

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
		"a pass says nothing":                                 {verdict(report.Pass), exitPass, ""},
		"a verdict has been told by the report":               {verdict(report.Fail), exitFail, ""},
		"invalid outweighs fail":                              {errors.Join(verdict(report.Fail), verdict(report.Invalid)), exitInvalid, ""},
		"a report that was not written outweighs a verdict":   {errors.Join(full, verdict(report.Fail)), exitCouldNotRun, full.Error()},
		"whichever comes first":                               {errors.Join(verdict(report.Invalid), full), exitCouldNotRun, full.Error()},
		"an interrupt outweighs all":                          {errors.Join(verdict(report.Fail), full, interrupted(errors.New("it was interrupted"))), exitInterrupted, full.Error() + "\nit was interrupted"},
		"bad usage outweighs what could not be done":          {errors.Join(full, usage(errors.New("no such flag"))), exitUsage, full.Error() + "\nno such flag"},
		"joins within joins":                                  {errors.Join(nil, errors.Join(verdict(report.Invalid), errors.Join(full))), exitCouldNotRun, full.Error()},
		"an error that names a verdict's place is no other's": {fmt.Errorf("run 2: %w", verdict(report.Fail)), exitFail, ""},
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
