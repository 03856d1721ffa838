package cli

// The exit codes of the contract.
const (
	ExitPass        = 0
	ExitCouldNotRun = 1
	ExitUsage       = 2
	ExitInvalid     = 98
	ExitFail        = 99
	ExitInterrupted = 130
)

// An ExitError is an error with its exit code.
type ExitError struct {
	Code int
	err  error
}

// Error implements error.
func (e *ExitError) Error() string { return e.err.Error() }

// Unwrap returns the error without its exit code.
func (e *ExitError) Unwrap() error { return e.err }

// Usage marks an error as bad usage, or as a bad scenario.
func Usage(err error) error { return &ExitError{ExitUsage, err} }

// Interrupted marks a run that was ended early.
func Interrupted(err error) error { return &ExitError{ExitInterrupted, err} }
