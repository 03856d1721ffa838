package main

import (
	"errors"
	"fmt"
	"io"
)

// precedence is the exit codes from the one that outweighs all others down.
var precedence = []int{exitInterrupted, exitUsage, exitCouldNotRun, exitInvalid, exitFail, exitPass}

// repeated plays as often as --repeat says, and returns the error that outweighs
// the others. It ends early when a run could not be played: the next one could
// not be either.
func (f runFlags) repeated(stdout io.Writer, once func(outputs) error) error {
	if f.repeat == 1 {
		return once(f.out)
	}
	codes := map[int]int{}
	var worst error
	for i := range f.repeat {
		if _, err := fmt.Fprintf(stdout, "run %d of %d\n", i+1, f.repeat); err != nil {
			return err
		}
		err := once(f.out.of(i, f.repeat))
		code := exitCode(err)
		codes[code]++
		if outweighs(code, exitCode(worst)) {
			worst = err
		}
		if err != nil && !isVerdict(err) {
			break
		}
	}
	_, err := fmt.Fprintf(stdout, "of %d runs, %d passed, %d failed, %d were invalid\n", f.repeat, codes[exitPass], codes[exitFail], codes[exitInvalid])
	return errors.Join(worst, err)
}

func outweighs(code, other int) bool {
	for _, c := range precedence {
		if c == code || c == other {
			return c == code && c != other
		}
	}
	return false
}
