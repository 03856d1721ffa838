package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/loadgen/report"
)

// maxRepeat bounds --repeat, against typing errors.
const maxRepeat = 1000

// outputs are the files that the report of a run is written to; an empty path is
// none.
type outputs struct{ summary, html, junit, csv string }

func (o *outputs) bind(flags *pflag.FlagSet) {
	flags.StringVar(&o.summary, "summary", "", "write the summary as JSON to this `file`")
	flags.StringVar(&o.html, "html", "", "write the report as one HTML page to this `file`")
	flags.StringVar(&o.junit, "junit", "", "write the thresholds as JUnit XML to this `file`, for CI")
	flags.StringVar(&o.csv, "csv", "", "write the run's figures over time as CSV to this `file`")
}

// An output is one of the files and what writes it.
type output struct {
	flag  string
	path  *string
	write func(*report.Report, string) error
}

func (o *outputs) all() []output {
	return []output{
		{"--summary", &o.summary, func(r *report.Report, path string) error { return writeFile(path, r.WriteJSON) }},
		{"--html", &o.html, func(r *report.Report, path string) error { return writeFile(path, r.WriteHTML) }},
		{"--junit", &o.junit, func(r *report.Report, path string) error { return writeFile(path, r.WriteJUnit) }},
		{"--csv", &o.csv, func(r *report.Report, path string) error { return writeFile(path, r.WriteCSV) }},
	}
}

// check returns an error before the runs if their reports could not be written after
// them.
func (o outputs) check(repeat int) error {
	if repeat < 1 || repeat > maxRepeat {
		return fmt.Errorf("--repeat %d is not from 1 to %d", repeat, maxRepeat)
	}
	taken := map[string]string{}
	for i := range repeat {
		run := o.of(i, repeat)
		for _, f := range run.all() {
			if *f.path == "" {
				continue
			}
			path := filepath.Clean(*f.path)
			if other, twice := taken[path]; twice {
				return fmt.Errorf("%s and %s both write to %s", other, f.flag, path)
			}
			taken[path] = f.flag
			if err := writable(path); err != nil {
				return fmt.Errorf("%s: %w", f.flag, err)
			}
		}
	}
	return nil
}

// of returns the files of run i of several, counted from 0: report.json becomes
// report-1.json for the first.
func (o outputs) of(i, repeat int) outputs {
	if repeat == 1 {
		return o
	}
	for _, f := range o.all() {
		if *f.path != "" {
			extension := filepath.Ext(*f.path)
			*f.path = fmt.Sprintf("%s-%d%s", (*f.path)[:len(*f.path)-len(extension)], i+1, extension)
		}
	}
	return o
}

// write writes all files.
func (o outputs) write(r *report.Report) (err error) {
	for _, f := range o.all() {
		if *f.path != "" {
			err = errors.Join(err, f.write(r, *f.path))
		}
	}
	return err
}

// writable returns an error if a file can't be written, so that a command can refuse
// it before a long run. An empty path is none.
func writable(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("%s can't be written: %w", path, err)
	}
	return f.Close()
}

// writeFile writes a file anew.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(write(w), w.Flush(), f.Close())
}
