package report

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/record"
)

// recordVersion is the version of the record's form. A report is made again by an earshot
// that has the same.
const recordVersion = 1

const (
	// maxSummary bounds a summary that is read, and maxRecord its record when it is
	// unpacked.
	maxSummary, maxRecord = 64 << 20, 256 << 20
	// maxPoints bounds the series of a record: more than any run has.
	maxPoints = 10_000
)

type recordVersionNumber int

// A recordSummary is what [Read] makes a report again from: what the plots and the tables
// show, whole distributions instead of a few figures.
type recordSummary struct {
	Version recordVersionNumber `json:"version" jsonschema:"Of the data's form, which other programs should not rely on."`
	Data    []byte              `json:"data" jsonschema:"JSON, compressed by gzip, in base64."`
}

// A recordedReport is a report in a form that can be read again.
type recordedReport struct {
	Verdict    Verdict
	Reasons    []string
	Command    string
	Thresholds []recordedThreshold
	Aborted    *recordedAbort
	// Run has no values: they are below.
	Run          loadgen.Result
	Values, Best metric.Record
	Groups       []recordedGroup
}

// A recordedThreshold is a threshold as it was written, and its result.
type recordedThreshold struct {
	Metric, Expression string
	Result             metric.Result
}

type recordedAbort struct {
	recordedThreshold
	At int64 // ns
}

type recordedGroup struct {
	By, Name     string
	Values, Best metric.Record
}

// recorded packs what the report shows.
func (r *Report) recorded() (*recordSummary, error) {
	run := *r.Result
	rec := recordedReport{Verdict: r.Verdict, Reasons: r.Reasons, Command: r.Command, Values: metric.Record(run.Values), Best: metric.Record(run.Best)}
	for _, t := range r.Thresholds {
		rec.Thresholds = append(rec.Thresholds, recordedThreshold{t.Metric, t.Expression, t.Result})
	}
	if a := run.Aborted; a != nil {
		rec.Aborted = &recordedAbort{recordedThreshold{a.Threshold.Metric, a.Threshold.Expression, a.Result}, int64(a.At)}
	}
	for _, g := range run.Groups {
		rec.Groups = append(rec.Groups, recordedGroup{g.By, g.Name, metric.Record(g.Values), metric.Record(g.Best)})
	}
	run.Values, run.Best, run.Groups, run.Aborted = nil, nil, nil, nil
	run.Crowd.Listeners, run.Probes.Listeners = nil, nil // each of them; the verdict has been said
	rec.Run = run
	var b bytes.Buffer
	packed := gzip.NewWriter(&b)
	err := json.NewEncoder(packed).Encode(rec)
	if err = errors.Join(err, packed.Close()); err != nil {
		return nil, fmt.Errorf("pack the report into its summary: %w", err)
	}
	return &recordSummary{Version: recordVersion, Data: b.Bytes()}, nil
}

// Read reads a summary and makes its report again. The verdict is the one that was said
// then.
func Read(from io.Reader) (*Report, error) {
	text, err := readAtMost(from, maxSummary)
	if err != nil {
		return nil, fmt.Errorf("read the summary: %w", err)
	}
	var s struct {
		SchemaVersion *int           `json:"schema_version"`
		Record        *recordSummary `json:"record"`
	}
	switch err := json.Unmarshal(text, &s); {
	case err != nil:
		return nil, fmt.Errorf("it is no summary of earshot run --summary: %w", err)
	case s.SchemaVersion == nil:
		return nil, errors.New("it is no summary of earshot run --summary: it has no schema_version")
	case *s.SchemaVersion != schemaVersion:
		return nil, fmt.Errorf("its schema_version is %d, and this earshot reads %d", *s.SchemaVersion, schemaVersion)
	case s.Record == nil:
		return nil, errors.New("it has no record to make a report from: play the run again with this earshot's --summary")
	case s.Record.Version != recordVersion:
		return nil, fmt.Errorf("its record is of version %d, and this earshot reads %d: use the earshot that wrote it", s.Record.Version, recordVersion)
	}
	packed, err := gzip.NewReader(bytes.NewReader(s.Record.Data))
	if err != nil {
		return nil, fmt.Errorf("its record can't be unpacked: %w", err)
	}
	if text, err = readAtMost(packed, maxRecord); err != nil {
		return nil, fmt.Errorf("its record can't be unpacked: %w", err)
	}
	var rec recordedReport
	if err := json.Unmarshal(text, &rec); err != nil {
		return nil, fmt.Errorf("its record can't be read: %w", err)
	}
	return rec.report()
}

func readAtMost(from io.Reader, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("it is larger than %d MiB", most>>20)
	}
	return text, err
}

// report is the report that was recorded.
func (rec *recordedReport) report() (*Report, error) {
	run := rec.Run
	if n := len(run.Series.Points); n > maxPoints {
		return nil, fmt.Errorf("its record has a series of %d points", n)
	}
	run.Values, run.Best = metric.Values(rec.Values), metric.Values(rec.Best)
	for _, g := range rec.Groups {
		run.Groups = append(run.Groups, record.Group{By: g.By, Name: g.Name, Values: metric.Values(g.Values), Best: metric.Values(g.Best)})
	}
	if a := rec.Aborted; a != nil {
		t, err := metric.ParseThreshold(a.Metric, a.Expression)
		if err != nil {
			return nil, fmt.Errorf("its record: %w", err)
		}
		run.Aborted = &loadgen.Abort{Threshold: t, Result: a.Result, At: time.Duration(a.At)}
	}
	r := &Report{Result: &run, Verdict: rec.Verdict, Reasons: rec.Reasons, Command: rec.Command}
	switch r.Verdict {
	case Pass, Fail, Invalid:
	default:
		return nil, fmt.Errorf("its record has the verdict %q", r.Verdict)
	}
	for _, t := range rec.Thresholds {
		parsed, err := metric.ParseThreshold(t.Metric, t.Expression)
		if err != nil {
			return nil, fmt.Errorf("its record: %w", err)
		}
		r.Thresholds = append(r.Thresholds, Judgement{parsed, t.Result})
	}
	return r, nil
}
