package meter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/earshot-audio/earshot/loadgen/process"
)

// Metrics reads what a server reports about its process in its Prometheus metrics,
// under the names that all Prometheus client libraries use.
type Metrics struct {
	URL    string
	Client *http.Client
}

var errNoProcessMetrics = errors.New("the target's metrics have no process_cpu_seconds_total and process_resident_memory_bytes, or none that can be true")

// Usage implements Meter.
func (m Metrics) Usage(ctx context.Context) (process.Usage, error) {
	families, err := m.read(ctx)
	if err != nil {
		return process.Usage{}, err
	}
	cpu, ok := single(families["process_cpu_seconds_total"], maxSeconds)
	memory, okay := single(families["process_resident_memory_bytes"], maxAmount)
	if !ok || !okay {
		return process.Usage{}, errNoProcessMetrics
	}
	cores, _ := single(families["go_sched_gomaxprocs_threads"], maxCores) // of a program in Go
	began, _ := single(families["process_start_time_seconds"], maxSeconds)
	return process.Usage{CPU: time.Duration(cpu * float64(time.Second)), Memory: uint64(memory), Cores: int(cores), Began: began}, nil
}

// read reads all of the target's metrics.
func (m Metrics) read(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL, nil)
	if err != nil {
		return nil, err
	}
	resp, err := m.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read the target's metrics: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read the target's metrics: %s answered %d %s", m.URL, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	body := &io.LimitedReader{R: resp.Body, N: maxMetrics + 1}
	families, err := parser.TextToMetricFamilies(body)
	if body.N == 0 {
		return nil, fmt.Errorf("read the target's metrics: they are longer than %d MiB", maxMetrics>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("read the target's metrics: %w", err)
	}
	return families, nil
}

// How long a target may take to send its metrics, and how many bytes of them are read: it
// may be anybody's.
const (
	scrapeTimeout = 5 * time.Second
	maxMetrics    = 4 << 20
)

// What is more than that is no amount of time, cores or anything that there is, and in no unit that it is kept in.
const (
	maxSeconds = 9e9 // of a time.Duration
	maxCores   = 1 << 16
	maxAmount  = 1 << 53
)

// isAmount reports whether a metric's value can be an amount that is no more than most.
func isAmount(value, most float64) bool { return value >= 0 && value <= most }

// single returns the value of a family's only metric, if it can be an amount that is no more than most.
func single(f *dto.MetricFamily, most float64) (float64, bool) {
	if len(f.GetMetric()) != 1 {
		return 0, false
	}
	m := f.GetMetric()[0]
	value := m.GetGauge().GetValue()
	if m.GetCounter() != nil {
		value = m.GetCounter().GetValue()
	}
	if m.GetCounter() == nil && m.GetGauge() == nil || !isAmount(value, most) {
		return 0, false
	}
	return value, true
}

// dropped are the metrics of a server of ours that count packets which it dropped since it had
// too much to do, with the reasons that say so.
var dropped = map[string][]string{
	"earshot_media_packets_dropped_total":   {"failed", "overflow"},
	"earshot_media_datagrams_refused_total": {"overrun"},
}

// Details implements [Detailed]: the drops are those that a server of ours reports.
func (m Metrics) Details(ctx context.Context) (d Details, err error) {
	families, err := m.read(ctx)
	if err != nil {
		return d, err
	}
	for name, reasons := range dropped {
		for _, reason := range reasons {
			if n, ok := byReason(families[name], reason); ok {
				if d.Drops == nil {
					d.Drops = map[string]uint64{}
				}
				d.Drops["itself, as its metrics say ("+reason+")"] += n
			}
		}
	}
	return d, nil
}

func byReason(f *dto.MetricFamily, reason string) (n uint64, ok bool) {
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "reason" && l.GetValue() == reason {
				value := m.GetCounter().GetValue()
				return uint64(value), isAmount(value, maxAmount)
			}
		}
	}
	return 0, false
}
