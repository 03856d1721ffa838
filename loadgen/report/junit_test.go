package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// A node is an element of any document.
type node struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Nodes   []node     `xml:",any"`
}

func (n node) attr(name string) (string, bool) {
	for _, a := range n.Attrs {
		if a.Name.Local == name {
			return a.Value, true
		}
	}
	return "", false
}

// A rule is what the schema of Ant's JUnit task asks of an element: the
// attributes that it must have, those it may have, and its children in their
// order. Viewers' own schemas ask for less.
type rule struct {
	must, may []string
	children  []string
}

var junitRules = map[string]rule{
	"testsuites": {may: []string{"name", "tests", "failures", "errors", "time"}, children: []string{"testsuite"}},
	"testsuite": {must: []string{"id", "package", "name", "timestamp", "hostname", "tests", "failures", "errors", "time"}, may: []string{"skipped"},
		children: []string{"properties", "testcase", "system-out", "system-err"}},
	"properties": {children: []string{"property"}},
	"property":   {must: []string{"name", "value"}},
	"testcase":   {must: []string{"name", "classname", "time"}, children: []string{"skipped", "error", "failure"}},
	"skipped":    {may: []string{"type", "message"}},
	"error":      {must: []string{"type"}, may: []string{"message"}},
	"failure":    {must: []string{"type"}, may: []string{"message"}},
	"system-out": {}, "system-err": {},
}

var (
	junitTime      = regexp.MustCompile(`^\d+(\.\d+)?$`)
	junitTimestamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`)
)

// keeps checks an element against the schema's rules.
func keeps(t *testing.T, n node) {
	t.Helper()
	name := n.XMLName.Local
	r, known := junitRules[name]
	if !assert.True(t, known, "an element %s", name) {
		return
	}
	for _, a := range r.must {
		v, ok := n.attr(a)
		assert.True(t, ok, "%s has no %s", name, a)
		assert.NotEmpty(t, v+map[bool]string{true: "-", false: ""}[a == "value"], "%s has an empty %s", name, a)
	}
	for _, a := range n.Attrs {
		assert.True(t, slices.Contains(r.must, a.Name.Local) || slices.Contains(r.may, a.Name.Local), "%s may not have %s", name, a.Name.Local)
		switch a.Name.Local {
		case "time":
			assert.Regexp(t, junitTime, a.Value)
		case "timestamp":
			assert.Regexp(t, junitTimestamp, a.Value)
		case "tests", "failures", "errors", "id":
			_, err := strconv.Atoi(a.Value)
			assert.NoError(t, err, a.Name.Local)
		}
	}
	at := 0
	for _, child := range n.Nodes {
		i := slices.Index(r.children, child.XMLName.Local)
		assert.GreaterOrEqual(t, i, at, "%s has a %s out of place", name, child.XMLName.Local)
		at = max(at, i)
		keeps(t, child)
	}
}

func junit(t *testing.T, r *Report) node {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.WriteJUnit(&b))
	var root node
	d := xml.NewDecoder(&b)
	require.NoError(t, d.Decode(&root))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		assert.IsType(t, xml.CharData{}, token, "nothing follows")
	}
	require.Equal(t, "testsuites", root.XMLName.Local)
	keeps(t, root)
	return root
}

func TestJUnitFailsWithTheVerdict(t *testing.T) {
	for _, c := range []struct {
		name                    string
		thresholds              []string
		change                  func(*loadgen.Result)
		tests, failures, errors string
	}{
		{"a run that passes", []string{"delivered", "rate >= 0.999", "latency", "p(99) < 20ms"}, nil, "3", "0", "0"},
		{"a run without thresholds has a test all the same", nil, nil, "1", "0", "0"},
		{"a threshold crossed is a failure", []string{"delivered", "rate >= 0.999", "latency", "p(99) < 2ms"}, nil, "3", "1", "0"},
		{"a threshold without data is an error, and the run another", []string{"jitter", "p(99) < 20ms"}, nil, "2", "0", "2"},
		{"a generator that was the bottleneck is an error", nil, func(r *loadgen.Result) { r.Generator.CPU = 1.9 }, "1", "0", "1"},
		{"an undecided threshold is an error, and the run another", []string{"delivered", "rate == 1"}, func(r *loadgen.Result) {
			r.Best = metric.Values{"delivered": metric.Rate{Passes: 1, Total: 1}}
		}, "2", "0", "2"},
		{"audio that nobody sent is a failure", nil, func(r *loadgen.Result) { r.Foreign = 500_000 }, "1", "1", "0"},
		{"a server that died is a failure", nil, func(r *loadgen.Result) { r.Server.Died = true }, "1", "1", "0"},
		{"a run that was interrupted is an error, and a threshold that it crosses another", []string{"latency", "p(99) < 2ms"}, func(r *loadgen.Result) { r.Interrupted = true }, "2", "0", "2"},
		{"what an aborted run did not judge is skipped", []string{"jitter", "p(99) < 20ms", "latency", "p(99) < 2ms"}, func(r *loadgen.Result) {
			r.Aborted = &loadgen.Abort{At: 12 * time.Second}
		}, "3", "1", "0"},
		{"names that XML can't hold are bent", nil, func(r *loadgen.Result) { r.Scenario = "a <room> & \x01\xff\"more\"" }, "1", "0", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := measured()
			if c.change != nil {
				c.change(result)
			}
			root := junit(t, Judge(result, thresholds(t, c.thresholds...)))
			for _, n := range []node{root, root.Nodes[0]} {
				for attr, want := range map[string]string{"tests": c.tests, "failures": c.failures, "errors": c.errors} {
					got, _ := n.attr(attr)
					assert.Equal(t, want, got, "%s of %s", attr, n.XMLName.Local)
				}
			}
		})
	}
}

func TestJUnitNamesTheThreshold(t *testing.T) {
	root := junit(t, Judge(measured(), thresholds(t, "latency", "p(99) < 2ms")))
	var found bool
	for _, n := range root.Nodes[0].Nodes {
		if name, _ := n.attr("name"); name == "latency: p(99) < 2ms" {
			message, _ := n.Nodes[0].attr("message")
			assert.Equal(t, "p(99)=10.89ms", message)
			found = true
		}
	}
	assert.True(t, found)
}
