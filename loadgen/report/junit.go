package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The form that Jenkins, GitLab and most other viewers read: the schema that
// Ant's JUnit task writes to.
type (
	junitSuites struct {
		XMLName  xml.Name   `xml:"testsuites"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Time     string     `xml:"time,attr"`
		Suite    junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		ID         int             `xml:"id,attr"`
		Package    string          `xml:"package,attr"`
		Name       string          `xml:"name,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Hostname   string          `xml:"hostname,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
		Out        junitText       `xml:"system-out"`
		Err        junitText       `xml:"system-err"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    string        `xml:"time,attr"`
		Skipped *junitProblem `xml:"skipped"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
	}
	junitText struct {
		Text string `xml:",cdata"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// validity is the test case that says whether the figures can be relied on.
const validity = "the run is valid"

// WriteJUnit writes the report for CI viewers: a test case a threshold, one that
// is crossed a failure, and one without data an error; and one for the run as a
// whole, which is an error if the run is invalid. So a viewer shows as failed
// what does not exit with 0.
func (r *Report) WriteJUnit(w io.Writer) error {
	run := r.Result
	text := &strings.Builder{}
	if err := r.WriteText(text); err != nil {
		return err
	}
	took := fmt.Sprintf("%.3f", (run.Arrivals + run.Steady).Seconds())
	host := run.Environment.Hostname
	if host == "" {
		host = "localhost"
	}
	suite := junitSuite{
		Package: "earshot", Name: printable(run.Scenario), Hostname: host, Time: took,
		Timestamp: run.Began.UTC().Format("2006-01-02T15:04:05"), // the schema allows no zone
		Properties: []junitProperty{
			{"verdict", string(r.Verdict)}, {"seed", fmt.Sprint(run.Seed)}, {"driver", run.Driver}, {"target", run.Target},
			{"rooms", fmt.Sprint(run.Rooms)}, {"speakers", fmt.Sprint(run.Speakers)}, {"listeners", fmt.Sprint(run.Seats)},
			{"began", run.Began.UTC().Format(time.RFC3339)}, {"version", run.Environment.Version}, {"go", run.Environment.Go},
			{"cpus", fmt.Sprint(run.Environment.CPUs)},
		},
		Out: junitText{printable(text.String())},
	}
	whole := junitCase{Name: validity, Class: suite.Name, Time: took}
	if len(r.Reasons) > 0 {
		said := &junitProblem{Type: string(r.Verdict), Message: printable(r.Reasons[0]), Text: printable(strings.Join(r.Reasons, "\n"))}
		if r.Verdict == Fail {
			whole.Failure = said
		} else {
			whole.Error = said
		}
	}
	suite.Cases = append(suite.Cases, whole)
	for _, t := range r.Thresholds {
		c := junitCase{Name: printable(t.Metric + ": " + t.Expression), Class: suite.Name, Time: took}
		switch {
		case t.Undecided:
			said := "undecided: " + thresholdValue(t)
			c.Error = &junitProblem{Type: "undecided", Message: said, Text: fmt.Sprintf("%s: wanted %s, and it is %s", t.Metric, t.Expression, said)}
		case t.OK == nil && run.Aborted != nil:
			c.Skipped = &junitProblem{Type: "not judged", Message: notJudged, Text: notJudged}
		case t.OK == nil:
			c.Error = &junitProblem{Type: "no data", Message: printable(t.Reason), Text: printable(t.Reason)}
		case !*t.OK:
			said := thresholdValue(t)
			c.Failure = &junitProblem{Type: "threshold crossed", Message: said, Text: fmt.Sprintf("%s: wanted %s, and it came to %s", t.Metric, t.Expression, said)}
		}
		suite.Cases = append(suite.Cases, c)
	}
	for _, c := range suite.Cases {
		suite.Tests++
		switch {
		case c.Failure != nil:
			suite.Failures++
		case c.Error != nil:
			suite.Errors++
		case c.Skipped != nil:
			suite.Skipped++
		}
	}
	all := junitSuites{Name: suite.Name, Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Time: took, Suite: suite}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// printable leaves out the characters that XML has no place for.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 && c != '\n' && c != '\t' || c == 0xfffe || c == 0xffff {
			return -1
		}
		return c
	}, strings.ToValidUTF8(text, "\ufffd"))
}
