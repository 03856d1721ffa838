package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/loadgen/report"
)

// maxRepeat bounds --repeat, against typing errors.
const maxRepeat = 1000

// outputs are the files that the report of a run is written to; an empty path is
// none.
type outputs struct{ summary, html, junit, csv string }

func (o *outputs) bind(flags *pflag.FlagSet) {
	flags.StringVar(&o.summary, "summary", "", "write the summary as JSON to this `file` (- for standard output)")
	o.bindReports(flags)
}

// bindReports adds the flags of what can be made of a summary.
func (o *outputs) bindReports(flags *pflag.FlagSet) {
	flags.StringVar(&o.html, "html", "", "write the report as one HTML page to this `file`")
	flags.StringVar(&o.junit, "junit", "", "write the thresholds as JUnit XML to this `file`, for CI")
	flags.StringVar(&o.csv, "csv", "", "write the run's figures over time as CSV to this `file`")
}

// An output is one of the files and what writes it.
type output struct {
	flag  string
	path  *string
	write func(*report.Report, io.Writer) error
}

func (o *outputs) all() []output {
	return []output{
		{"--summary", &o.summary, (*report.Report).WriteJSON},
		{"--html", &o.html, (*report.Report).WriteHTML},
		{"--junit", &o.junit, (*report.Report).WriteJUnit},
		{"--csv", &o.csv, (*report.Report).WriteCSV},
	}
}

// names are the files by the flags that name them.
func (o outputs) names() (all []cli.File) {
	for _, f := range o.all() {
		all = append(all, cli.File{Flag: f.flag, Path: *f.path})
	}
	return all
}

// check returns an error before the runs if their reports could not be written after
// them.
func (o outputs) check(repeat int) error {
	if repeat < 1 || repeat > maxRepeat {
		return fmt.Errorf("--repeat %d is not from 1 to %d", repeat, maxRepeat)
	}
	var all []cli.File
	for i := range repeat {
		all = append(all, o.of(i, repeat).names()...)
	}
	if repeat > 1 && cli.ToStdout(all...) {
		return errors.New("with --repeat each report needs a file of its own, not standard output")
	}
	return cli.CheckFiles(all...)
}

// of returns the files of run i of several, counted from 0: report.json becomes
// report-1.json for the first.
func (o outputs) of(i, repeat int) outputs {
	if repeat == 1 {
		return o
	}
	for _, f := range o.all() {
		if *f.path != "" && !cli.IsStdout(*f.path) {
			extension := filepath.Ext(*f.path)
			*f.path = fmt.Sprintf("%s-%d%s", (*f.path)[:len(*f.path)-len(extension)], i+1, extension)
		}
	}
	return o
}

// write writes all files, also those that come after one that can't be written.
func (o outputs) write(r *report.Report, stdout io.Writer) (err error) {
	for _, f := range o.all() {
		write := func(w io.Writer) error { return f.write(r, w) }
		err = errors.Join(err, cli.File{Flag: f.flag, Path: *f.path}.Write(stdout, write))
	}
	return err
}
