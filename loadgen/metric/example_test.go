package metric_test

import (
	"fmt"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

func ExampleParseThreshold() {
	threshold, err := metric.ParseThreshold("latency{network:3g}", "p(95) < 1s over 10s")
	fmt.Println(threshold.Aggregation, threshold.Percentile, threshold.Operator, threshold.Limit, threshold.LimitUnit(), threshold.Over, err)

	_, err = metric.ParseThreshold("latncy", "p(95) < 1s")
	fmt.Println(err)
	// Output:
	// p 95 < 1000 ms 10s <nil>
	// unknown metric "latncy": did you mean latency?
}

func ExampleThreshold_Evaluate() {
	delivered, err := metric.ParseThreshold("delivered", "rate >= 0.999")
	if err != nil {
		panic(err)
	}
	result := delivered.Evaluate(metric.Values{"delivered": metric.Rate{Passes: 9_995, Total: 10_000}})
	fmt.Println(*result.OK, *result.Value)

	result = delivered.Evaluate(metric.Values{})
	fmt.Println(result.OK, result.Reason)
	// Output:
	// true 0.9995
	// <nil> delivered was not measured
}

func ExampleTrend() {
	var latency metric.Trend // in ms
	for i := range 1000 {
		latency.Record(float64(i))
	}
	s := latency.Summary()
	fmt.Println(latency.Count(), s.Avg, s.Max, latency.Quantile(99))
	// Output:
	// 1000 499.5 999 989.183
}
