package main

import (
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/loadgen/compare"
	"github.com/earshot-audio/earshot/loadgen/report"
)

func TestRepeatWritesOneFileSetPerRun(t *testing.T) {
	realTime(t)
	t.Parallel()
	dir := t.TempDir()
	summary, junit := filepath.Join(dir, "run.json"), filepath.Join(dir, "run.xml")
	stdout, stderr, code := command(t, "run", small(t, `  onset_clip: ["max < 40ms"]`), "-q", "--repeat", "2", "--summary", summary, "--junit", junit)
	assert.Equal(t, cli.ExitInvalid, code, stderr)
	assert.Contains(t, stdout, "run 1 of 2\n? invalid\n")
	assert.Contains(t, stdout, "of 2 runs: 0 passed, 0 failed, 2 invalid\n")
	for _, name := range []string{"run-1", "run-2"} {
		r, err := compare.Load(filepath.Join(dir, name+".json"))
		require.NoError(t, err)
		assert.Equal(t, report.Invalid, r.Verdict)
		var suites struct {
			Errors int `xml:"errors,attr"`
		}
		data, err := os.ReadFile(filepath.Join(dir, name+".xml"))
		require.NoError(t, err)
		require.NoError(t, xml.Unmarshal(data, &suites))
		assert.Equal(t, 2, suites.Errors)
	}
	assert.NoFileExists(t, summary)
	_, _, code = command(t, "compare", filepath.Join(dir, "run-1.json"), filepath.Join(dir, "run-2.json"))
	assert.Equal(t, cli.ExitInvalid, code)

	t.Run("and report makes the reports of each again", func(t *testing.T) {
		page, again := filepath.Join(dir, "again.html"), filepath.Join(dir, "again.xml")
		stdout, stderr, code := command(t, "report", filepath.Join(dir, "run-2.json"), "--html", page, "--junit", again)
		require.Equal(t, cli.ExitPass, code, stderr)
		assert.Contains(t, stdout, "? invalid\n")
		html, err := os.ReadFile(page)
		require.NoError(t, err)
		assert.Contains(t, string(html), "Did they hear everything?")
		want, err := os.ReadFile(filepath.Join(dir, "run-2.xml"))
		require.NoError(t, err)
		got, err := os.ReadFile(again)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got))
	})
}

func TestReportSaysWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	older := filepath.Join(dir, "older.json")
	require.NoError(t, os.WriteFile(older, []byte(`{"schema_version": 1, "verdict": "pass"}`), 0o600))
	for _, c := range []struct {
		name, says string
		args       []string
	}{
		{"a file that is not there", "no such file", []string{filepath.Join(dir, "none.json")}},
		{"a summary without what is needed", "older.json: it has no record", []string{older}},
		{"a page that can't be written", "--html", []string{older, "--html", filepath.Join(dir, "none", "report.html")}},
		{"no summary", "earshot report --help", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, stderr, code := command(t, append([]string{"report"}, c.args...)...)
			assert.Equal(t, cli.ExitUsage, code)
			assert.Contains(t, stderr, c.says)
		})
	}
}

func TestRepeatExitCodePrecedence(t *testing.T) {
	fail, invalid := &verdictError{report.Fail}, &verdictError{report.Invalid}
	gone := errors.New("the target is gone")
	for _, c := range []struct {
		name  string
		runs  []error
		code  int
		plays int
		says  string
	}{
		{"all pass", []error{nil, nil, nil}, cli.ExitPass, 3, "of 3 runs: 3 passed, 0 failed, 0 invalid\n"},
		{"one fails", []error{nil, fail, nil}, cli.ExitFail, 3, "of 3 runs: 2 passed, 1 failed, 0 invalid\n"},
		{"one is invalid and one fails", []error{fail, invalid, fail}, cli.ExitInvalid, 3, "of 3 runs: 0 passed, 2 failed, 1 invalid\n"},
		{"one can't be played, and no other is tried", []error{fail, gone, nil}, cli.ExitCouldNotRun, 2, "of 3 runs: 0 passed, 1 failed, 0 invalid, 1 ended with an error, 1 not played\n"},
		{"one is interrupted", []error{invalid, cli.Interrupted(errors.New("stop")), nil}, cli.ExitInterrupted, 2, "of 3 runs: 0 passed, 0 failed, 1 invalid, 1 interrupted, 1 not played\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			plays := 0
			var said strings.Builder
			err := repeated(len(c.runs), &said, func(int) error {
				plays++
				return c.runs[plays-1]
			})

			assert.Equal(t, c.plays, plays)
			assert.True(t, strings.HasSuffix(said.String(), c.says), said.String())
			assert.Equal(t, c.code, exitCode(err))
		})
	}
}
