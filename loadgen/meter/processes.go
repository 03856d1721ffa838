package meter

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/process"
)

// A Processes measures several servers of this machine as one: their use is added up. What
// one has used that has ended still counts, but for its memory, and what one was last seen to have
// used that can't be measured. The zero Processes has no servers
// yet. It is safe for concurrent use.
type Processes struct {
	mu      sync.Mutex
	meters  []Process
	used    []process.Usage // at last, by server
	details []Details       // the same
}

// Add adds a process by its number.
func (m *Processes) Add(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.meters = append(m.meters, Process{PID: pid})
	m.used, m.details = append(m.used, process.Usage{}), append(m.details, Details{})
}

// Usage implements [Meter]. It is an error if no server can be measured, and [process.ErrEnded] if all have
// ended.
func (m *Processes) Usage(ctx context.Context) (process.Usage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	all := process.Usage{Waits: map[int]time.Duration{}}
	for i, one := range m.meters {
		u, err := one.Usage(ctx)
		if err != nil {
			errs = append(errs, err)
			u = m.used[i]
			if errors.Is(err, process.ErrEnded) {
				u.Memory = 0
			}
		}
		m.used[i] = u
		all.CPU += u.CPU
		all.Memory += u.Memory
		if u.Waits == nil {
			all.Waits = nil
		}
		if all.Waits != nil {
			maps.Copy(all.Waits, u.Waits)
		}
	}
	if len(errs) == len(m.meters) {
		return process.Usage{}, ofAll(errs)
	}
	return all, nil
}

// ofAll is the error of processes of which none can be measured. It is [process.ErrEnded] if all have ended.
func ofAll(errs []error) error {
	for _, err := range errs {
		if !errors.Is(err, process.ErrEnded) {
			return err
		}
	}
	return errors.Join(errs...)
}

// ControlGroups implements [Grouped].
func (m *Processes) ControlGroups() (groups []process.ControlGroup) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, one := range m.meters {
		groups = append(groups, one.ControlGroups()...)
	}
	return groups
}

// Details implements [Detailed].
func (m *Processes) Details(ctx context.Context) (Details, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := Details{Threads: map[int]time.Duration{}, Drops: map[string]uint64{}}
	for i, one := range m.meters {
		if d, err := one.Details(ctx); err == nil && d.Threads != nil {
			m.details[i] = d
		}
		maps.Copy(all.Threads, m.details[i].Threads)
		for where, n := range m.details[i].Drops {
			all.Drops[where] += n
		}
	}
	return all, nil
}
