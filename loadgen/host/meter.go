package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/procfs"
)

// A Meter measures the process of the server under test. It is safe for concurrent use.
type Meter interface {
	Usage(ctx context.Context) (Usage, error)
}

// Usage is what a process has used.
type Usage struct {
	CPU    time.Duration // user and system time since the process began
	Memory uint64        // resident memory now, in bytes
	Cores  int           // how many cores it may use, as it says itself; 0 if unknown
	// Began is when the process began, in seconds since 1970, as it says itself; 0 if unknown.
	Began float64

	// Waits is how long each thread was ready and waited for a core since it began, by its
	// number; nil if unknown.
	Waits map[int]time.Duration
}

// CPUSince returns the CPU time that was used since an earlier use. It is false if that is not known:
// the process has begun anew, or a part of it has ended that nobody had waited for.
func (u Usage) CPUSince(before Usage) (used time.Duration, known bool) {
	if u.Began != before.Began || u.CPU < before.CPU {
		return 0, false
	}
	return u.CPU - before.CPU, true
}

// WaitSince returns for how long the process's threads were ready and waited for a core
// since an earlier use, all of them together. It is false if that is not known: the
// wait of a thread that has ended is lost.
func (u Usage) WaitSince(before Usage) (wait time.Duration, ok bool) {
	if u.Waits == nil || before.Waits == nil {
		return 0, false
	}
	for thread := range before.Waits {
		if _, lives := u.Waits[thread]; !lives {
			return 0, false
		}
	}
	for thread, w := range u.Waits {
		wait += max(0, w-before.Waits[thread])
	}
	return wait, true
}

// A GroupedMeter is a [Meter] that knows the control groups of the server's processes. It is safe for
// concurrent use.
type GroupedMeter interface {
	Meter
	ControlGroups() []ControlGroup
}

// A ProcessMeter measures a server of this machine, from /proc, by the number of its process.
// The server may consist of several: descendants of that one, and those of its service or
// container, count too, if they are not this process's. Memory that they share counts for each
// of them.
type ProcessMeter struct{ PID int }

// ControlGroups implements [GroupedMeter].
func (m ProcessMeter) ControlGroups() []ControlGroup { return []ControlGroup{ControlGroupOf(m.PID)} }

// Usage implements Meter.
func (m ProcessMeter) Usage(context.Context) (Usage, error) {
	u, err := ProcessUsage(m.PID)
	if err != nil {
		return Usage{}, err
	}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return u, nil // it was there a moment ago
	}
	for _, pid := range members(fs, m.PID, os.Getpid()) {
		// What children used that have ended, and that were waited for, is their parent's.
		if p, err := fs.Proc(pid); err == nil {
			if stat, err := p.Stat(); err == nil {
				u.CPU += time.Duration(stat.CUTime+stat.CSTime) * time.Second / userHZ
			}
		}
		if pid == m.PID {
			continue
		}
		member, err := ProcessUsage(pid)
		if err != nil {
			continue // it has ended
		}
		u.CPU += member.CPU
		u.Memory += member.Memory
		if u.Waits != nil {
			maps.Copy(u.Waits, member.Waits)
		}
	}
	return u, nil
}

// userHZ is in what parts of a second /proc counts.
const userHZ = 100

// ErrEnded means that there is no such process any more. What else keeps a process from being measured,
// such as no more open files, says nothing of it.
var ErrEnded = errors.New("it has ended")

// ended is an error of reading about a process, as [ErrEnded] if that is why.
func ended(pid int, err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		err = ErrEnded
	}
	return fmt.Errorf("measure process %d: %w", pid, err)
}

// ProcessUsage is what one process of this machine has used, by its number. The error is
// [ErrEnded] if there is no such process, or it has ended.
func ProcessUsage(pid int) (Usage, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return Usage{}, ended(pid, err)
	}
	stat, err := p.Stat()
	if err != nil {
		return Usage{}, ended(pid, err)
	}
	if stat.State == "Z" || stat.State == "X" {
		return Usage{}, fmt.Errorf("measure process %d: %w", pid, ErrEnded)
	}
	cpu, err := processCPU(pid)
	if err != nil {
		cpu = time.Duration(stat.CPUTime() * float64(time.Second))
	}
	return Usage{
		CPU:    cpu,
		Memory: uint64(stat.ResidentMemory()),
		Waits:  runQueueWaits(pid),
	}, nil
}

// Memory returns the resident memory of this process in bytes, or 0 if it is unknown.
func Memory() uint64 {
	u, err := ProcessUsage(os.Getpid())
	if err != nil {
		return 0
	}
	return u.Memory
}

// A MetricsMeter reads what a server reports about its process in its Prometheus
// metrics, under the names that all Prometheus client libraries use.
type MetricsMeter struct {
	URL    string
	Client *http.Client
}

var errNoProcessMetrics = errors.New("the target's metrics have no process_cpu_seconds_total and process_resident_memory_bytes, or none that can be true")

// Usage implements Meter.
func (m MetricsMeter) Usage(ctx context.Context) (Usage, error) {
	families, err := m.read(ctx)
	if err != nil {
		return Usage{}, err
	}
	cpu, ok := single(families["process_cpu_seconds_total"], maxSeconds)
	memory, okay := single(families["process_resident_memory_bytes"], maxAmount)
	if !ok || !okay {
		return Usage{}, errNoProcessMetrics
	}
	cores, _ := single(families["go_sched_gomaxprocs_threads"], maxCores) // of a program in Go
	began, _ := single(families["process_start_time_seconds"], maxSeconds)
	return Usage{CPU: time.Duration(cpu * float64(time.Second)), Memory: uint64(memory), Cores: int(cores), Began: began}, nil
}

// read reads all of the target's metrics.
func (m MetricsMeter) read(ctx context.Context) (map[string]*dto.MetricFamily, error) {
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
