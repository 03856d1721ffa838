package main

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// repeated calls once n times, with 0, 1 and so on, and returns the error whose exit
// code outweighs the others. It stops early when a run could not be played, since the
// next one could not be either.
func repeated(n int, stdout io.Writer, once func(i int) error) error {
	if n == 1 {
		return once(0)
	}
	codes := map[int]int{}
	var worst error
	played, broke := 0, ""
	for i := range n {
		if _, err := fmt.Fprintf(stdout, "run %d of %d\n", i+1, n); err != nil {
			return err
		}
		err := once(i)
		played++
		code := exitCode(err)
		codes[code]++
		if slices.Index(precedence, code) < slices.Index(precedence, exitCode(worst)) {
			worst = err
		}
		if beyondVerdict(err) != nil {
			if code != cli.ExitInterrupted {
				broke = ", 1 ended with an error"
			}
			break
		}
	}
	text := fmt.Sprintf("of %d runs: %d passed, %d failed, %d invalid", n, codes[cli.ExitPass], codes[cli.ExitFail], codes[cli.ExitInvalid])
	if codes[cli.ExitInterrupted] > 0 {
		text += ", 1 interrupted"
	}
	text += broke
	if played < n {
		text += fmt.Sprintf(", %d not played", n-played)
	}
	_, err := fmt.Fprintln(stdout, text)
	return errors.Join(worst, err)
}
