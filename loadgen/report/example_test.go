package report_test

import (
	"fmt"
	"os"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
)

func ExampleJudge() {
	threshold, err := metric.ParseThreshold("joined", "rate >= 0.99")
	if err != nil {
		fmt.Println(err)
		return
	}
	result := &loadgen.Result{
		Scenario: "a talk", Rooms: 1, Speakers: 1, Seats: 200,
		Values: metric.Values{"joined": metric.Rate{Passes: 190, Total: 200}},
	}
	r := report.Judge(result, []metric.Threshold{threshold})
	if err := r.WriteVerdict(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ✗ fail  joined 95 % (needs ≥ 99 %)
}
