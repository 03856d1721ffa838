package report

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
)

// A mic that people were to hear, and that the server did not take, is no pass, whatever else holds.
func TestMicsThatTheServerDidNotTake(t *testing.T) {
	refused := problem.Problem{Doing: "publish", Refused: true, Error: "503 Service Unavailable", Count: 2}
	unanswered := problem.Problem{Doing: "publish", Error: "no answer", Count: 2}
	for _, c := range []struct {
		sentence string
		problems []problem.Problem
		excused  uint64 // mics that may be the generator's fault
		change   func(*loadgen.Result)
		thresh   []string
		verdict  Verdict
		reason   string
	}{
		{"two of ten were refused", []problem.Problem{refused}, 0, nil, nil, Fail, "the server did not take the mics of 2 of 10 speakers whom listeners were to hear: 503 Service Unavailable"},
		{"two got no answer", []problem.Problem{unanswered}, 0, nil, nil, Fail, "did not take the mics of 2 of 10"},
		{"two of each", []problem.Problem{refused, unanswered}, 2, nil, nil, Fail, "did not take the mics of 4 of 10"},
		{"two got no answer, one of them perhaps by the generator's doing", []problem.Problem{unanswered}, 1, nil, nil, Fail, "of 2 of 10"},
		{"both perhaps by its doing", []problem.Problem{unanswered}, 2, nil, nil, Invalid, "perhaps by the generator's doing, the server did not take the mics of 2 of 10"},
		{"fewer are enough", []problem.Problem{refused}, 0, nil, []string{"published", "rate >= 0.8"}, Pass, ""},
		{"fewer are enough, but not so few", []problem.Problem{refused}, 0, nil, []string{"published", "rate >= 0.9"}, Fail, ""},
		{"nobody was to hear them", []problem.Problem{refused}, 0, func(r *loadgen.Result) { r.Seats = 0 }, nil, Pass, ""},
		{"the run was interrupted", []problem.Problem{refused}, 0, func(r *loadgen.Result) { r.Interrupted = true }, nil, Invalid, "interrupted"},
		{"all opened", nil, 0, nil, nil, Pass, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			result := measured()
			result.Mics.Opened, result.Mics.Connected = 10, 10
			for _, p := range c.problems {
				result.Mics.Connected -= p.Count
			}
			is := metric.Rate{Passes: uint64(result.Mics.Connected), Total: 10}
			result.Values["published"] = is
			if c.excused > 0 {
				result.Best = metric.Values{"published": metric.Rate{Passes: is.Passes + c.excused, Total: 10}}
			}
			result.Problems = c.problems
			if c.change != nil {
				c.change(result)
			}
			r := Judge(result, thresholds(t, c.thresh...))
			assert.Equal(t, c.verdict, r.Verdict, "%v", r.Reasons)
			if c.reason == "" {
				assert.Empty(t, r.Reasons)
			} else if assert.NotEmpty(t, r.Reasons) {
				assert.Contains(t, r.Reasons[0], c.reason)
			}
		})
	}
}
