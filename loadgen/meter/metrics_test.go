package meter

import (
	"context"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// answers is an HTTP client's transport that gives everybody the same answer.
type answers string

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}

// Whatever a server's metrics say, what it used is an amount, or is not known.
func FuzzMetrics(f *testing.F) {
	const sound = "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 12.5\n# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 5.2e+07\n" +
		"# TYPE go_sched_gomaxprocs_threads gauge\ngo_sched_gomaxprocs_threads 2\n# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1.7e+09\n" +
		"# TYPE earshot_media_packets_dropped_total counter\nearshot_media_packets_dropped_total{reason=\"overflow\"} 7\n"
	f.Add(sound)
	for _, value := range []string{"NaN", "-1", "+Inf", "-Inf", "1e300"} {
		f.Add(strings.ReplaceAll(sound, "total 12.5", "total "+value))
		f.Add(strings.ReplaceAll(sound, "5.2e+07", value))
		f.Add(strings.ReplaceAll(sound, "threads 2", "threads "+value))
		f.Add(strings.ReplaceAll(sound, "1.7e+09", value))
		f.Add(strings.ReplaceAll(sound, "} 7", "} "+value))
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := Metrics{URL: "http://127.0.0.1/metrics", Client: &http.Client{Transport: answers(text)}}
		u, err := m.Usage(context.Background())
		if err != nil {
			assert.Zero(t, u)
		}
		assert.GreaterOrEqual(t, u.CPU, time.Duration(0))
		assert.Less(t, u.CPU, time.Duration(math.MaxInt64))
		assert.Less(t, u.Memory, uint64(1)<<60)
		assert.GreaterOrEqual(t, u.Cores, 0)
		assert.Less(t, u.Cores, 1<<20)
		assert.False(t, math.IsNaN(u.Began) || math.IsInf(u.Began, 0) || u.Began < 0)
		d, err := m.Details(context.Background())
		if err != nil {
			assert.Zero(t, d)
		}
		for _, n := range d.Drops {
			assert.Less(t, n, uint64(1)<<60)
		}
	})
}
