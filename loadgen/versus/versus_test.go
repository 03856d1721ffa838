package versus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
	"github.com/earshot-audio/earshot/loadgen/report"
)

func judged(verdict report.Verdict, cpu float64) *report.Report {
	return &report.Report{Verdict: verdict, Result: &loadgen.Result{Target: "http://x/", Values: metric.Values{
		"server_cpu": metric.Gauge(cpu), "joined": metric.Rate{Passes: 1, Total: 1},
	}}}
}

func TestParseSpec(t *testing.T) {
	s, err := ParseSpec("  other whip=http://x/{room}?a=b  pid=7 ")
	require.NoError(t, err)
	assert.Equal(t, Spec{"other", []Option{{"whip", "http://x/{room}?a=b"}, {"pid", "7"}}}, s)
	for _, c := range []struct{ name, text, says string }{
		{"nothing", " ", "does not begin with a name"},
		{"no name", "whip=http://x/", "does not begin with a name"},
		{"a word that is no pair", "other http://x/", "not of the form key=value"},
		{"a key without a value", "other whip=", "not of the form key=value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseSpec(c.text)
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestPlayGoesOnAfterATargetThatFails(t *testing.T) {
	gone := errors.New("gone")
	targets, err := Play(t.Context(), []string{"a", "b"}, func(_ context.Context, i int) (*report.Report, error) {
		if i == 0 {
			return nil, gone
		}
		return judged(report.Pass, 1), nil
	})
	require.NoError(t, err)
	require.Len(t, targets, 2)
	r := Result{Targets: targets}
	assert.ErrorIs(t, r.Err(), gone)
	assert.ErrorContains(t, r.Err(), "target a: ")
	assert.Equal(t, report.Pass, r.Verdict())
}

func TestPlayEndsWithAFatalError(t *testing.T) {
	stop, plays := errors.New("stop"), 0
	_, err := Play(t.Context(), []string{"a", "b"}, func(context.Context, int) (*report.Report, error) {
		plays++
		return nil, Fatal{stop}
	})
	assert.ErrorIs(t, err, stop)
	assert.Equal(t, 1, plays)
}

func TestVerdictIsTheWorst(t *testing.T) {
	for _, c := range []struct {
		verdicts []report.Verdict
		want     report.Verdict
	}{
		{[]report.Verdict{report.Pass, report.Pass}, report.Pass},
		{[]report.Verdict{report.Pass, report.Fail}, report.Fail},
		{[]report.Verdict{report.Invalid, report.Fail}, report.Invalid},
	} {
		r := Result{Targets: []Target{{Name: "gone"}}}
		for _, v := range c.verdicts {
			r.Targets = append(r.Targets, Target{Report: judged(v, 1)})
		}
		assert.Equal(t, c.want, r.Verdict())
	}
}

func TestWriteTextExplainsWhatFails(t *testing.T) {
	threshold, err := metric.ParseThreshold("joined", "rate > 0.99")
	require.NoError(t, err)
	failed := judged(report.Fail, 1)
	failed.Result.Values["joined"] = metric.Rate{Passes: 1, Total: 2}
	failed.Result.Problems = []problem.Problem{
		{Doing: "join", Error: "404", Count: 2}, {Doing: "hear", Error: "nothing", Count: 1}, {Doing: "leave", Error: "405", Count: 1}, {Doing: "send", Error: "x", Count: 1},
	}
	failed.Thresholds = []report.Judgement{{Threshold: threshold, Result: threshold.Evaluate(failed.Result.Values)}}
	passed := judged(report.Pass, 1)
	passed.Result.Problems = failed.Result.Problems
	var b bytes.Buffer
	require.NoError(t, (&Result{Targets: []Target{{Name: "good", Report: passed}, {Name: "bad", Report: failed}}}).WriteText(&b))
	assert.Contains(t, b.String(), "  bad fails joined: rate > 0.99 (it is 0.50)\n  bad: join: 404 (2 times)\n  bad: hear: nothing (1 time)\n"+
		"  bad: leave: 405 (1 time)\n  bad: and 1 other kinds of problems\n")
	assert.NotContains(t, b.String(), "good: join")
}

func TestWriteTextAndJSON(t *testing.T) {
	invalid := judged(report.Invalid, 1.5)
	invalid.Reasons = []string{"the generator was late"}
	r := Result{Scenario: "a talk", Seed: 7, Targets: []Target{{Name: "one", Report: judged(report.Pass, 0.5)}, {Name: "other", Report: invalid}, {Name: "gone", Err: errors.New("cannot be reached")}}}
	var b bytes.Buffer
	require.NoError(t, r.WriteText(&b))
	assert.Contains(t, b.String(), "\n  a talk\n\n")
	assert.Contains(t, b.String(), "  server_cpu           0.50  1.00×     1.50  3.00×                    –\n")
	assert.Contains(t, b.String(), "could not be played")
	assert.Contains(t, b.String(), "  other is invalid: the generator was late\n")

	b.Reset()
	require.NoError(t, r.WriteHTML(&b))
	for _, part := range []string{
		`<h2>By target</h2>`, `<td data-head="server_cpu">1.50 <span class="ratio">3.00×</span></td>`, `<td data-head="joined">–</td>`,
		`<h2>gone<span class="word">could not be played</span></h2>`, `<li>cannot be reached</li>`, `<li>other is invalid: the generator was late</li>`,
	} {
		assert.Contains(t, b.String(), part)
	}

	b.Reset()
	require.NoError(t, r.WriteJSON(&b))
	var d document
	require.NoError(t, json.Unmarshal(b.Bytes(), &d))
	require.Len(t, d.Targets, 3)
	assert.Equal(t, "versus", d.Kind)
	assert.InDelta(t, 1.5, d.Targets[1].Figures["server_cpu"], 1e-9)
	assert.Equal(t, "cannot be reached", d.Targets[2].Error)
	assert.Empty(t, d.Targets[2].Figures)
}
