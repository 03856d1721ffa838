package record

import (
	"cmp"
	"slices"
	"strconv"
	"sync"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

// audiences is what the audience of each room of the run heard, by the rooms' numbers. It
// fills when accounts are closed, at the end. It is safe for concurrent use.
type audiences struct {
	mu  sync.Mutex
	all map[int]*PartAudience
}

// A PartAudience is what the audience of one room heard, in the worst case: a sample each in
// the trends. It adds up over processes.
type PartAudience struct {
	Room      int         `json:"room"` // its number in the run, from 0
	Joined    metric.Rate `json:"joined"`
	Delivered metric.Rate `json:"delivered"`
	// Joins are those of the crowd, and ProbeJoins of the whole clients beside it.
	Joins      metric.Trend `json:"joins"`
	ProbeJoins metric.Trend `json:"probe_joins"`
	Losses     metric.Trend `json:"losses"`
	Gaps       metric.Trend `json:"gaps"`
	Quality    metric.Trend `json:"quality"`
	Latencies  metric.Trend `json:"latencies"` // the 99th percentile of each
}

func (a *PartAudience) trends() []*metric.Trend {
	return []*metric.Trend{&a.Joins, &a.ProbeJoins, &a.Losses, &a.Gaps, &a.Quality, &a.Latencies}
}

// close enters the closed account of a listener, or of a probe.
func (a *audiences) close(account Account, probe bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	of := a.of(account.Room)
	of.Joined.Total++
	if account.Joined {
		of.Joined.Passes++
		joins := &of.Joins
		if probe {
			joins = &of.ProbeJoins
		}
		joins.Record(metric.InMilliseconds(account.JoinTook))
	}
	of.Delivered = of.Delivered.Plus(account.Life)
	for _, one := range []struct {
		figure Figure
		into   *metric.Trend
	}{{account.Loss, &of.Losses}, {account.Gap, &of.Gaps}, {account.Quality, &of.Quality}, {account.Latency, &of.Latencies}} {
		if one.figure.known {
			one.into.Record(one.figure.worst)
		}
	}
}

// of is a room's audience. a.mu is held.
func (a *audiences) of(room int) *PartAudience {
	if a.all == nil {
		a.all = map[int]*PartAudience{}
	}
	if a.all[room] == nil {
		a.all[room] = &PartAudience{Room: room}
	}
	return a.all[room]
}

// enter adds what another process has of a room.
func (a *audiences) enter(p *PartAudience) {
	a.mu.Lock()
	defer a.mu.Unlock()
	of := a.of(p.Room)
	of.Joined, of.Delivered = of.Joined.Plus(p.Joined), of.Delivered.Plus(p.Delivered)
	mergeAll(of.trends(), p.trends())
}

// take empties it.
func (a *audiences) take() []*PartAudience {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.sorted()
	a.all = nil
	return all
}

// sorted is the audiences in the rooms' order. a.mu is held.
func (a *audiences) sorted() (all []*PartAudience) {
	for _, of := range a.all {
		all = append(all, of)
	}
	slices.SortFunc(all, func(x, y *PartAudience) int { return cmp.Compare(x.Room, y.Room) })
	return all
}

// MaxRoomGroups is how many rooms have a group each: of more those that got least.
const MaxRoomGroups = 20

// groups are the rooms, if there are several: in their order, or if there are more than
// [MaxRoomGroups] those that got least, the worst first.
func (a *audiences) groups() []Group {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.sorted()
	if len(all) < 2 {
		return nil
	}
	if len(all) > MaxRoomGroups {
		slices.SortStableFunc(all, func(x, y *PartAudience) int { return cmp.Compare(got(x.Delivered), got(y.Delivered)) })
		all = all[:MaxRoomGroups]
	}
	var groups []Group
	for _, of := range all {
		groups = append(groups, of.group())
	}
	return groups
}

// group is the figures of a room.
func (a *PartAudience) group() Group {
	joins := &a.Joins
	if joins.Count() == 0 {
		joins = &a.ProbeJoins
	}
	values := metric.Values{}
	values.Set("joined", a.Joined)
	values.Set("delivered", a.Delivered)
	values.Set("join_duration", joins)
	values.Set("loss", &a.Losses)
	values.Set("audio_gap", &a.Gaps)
	values.Set("mos", &a.Quality)
	values.Set("latency_listener", &a.Latencies)
	return Group{By: "room", Name: strconv.Itoa(a.Room + 1), Values: values, Best: metric.Values{}}
}

// got is the share of what was owed that came; nothing, where nothing was owed.
func got(r metric.Rate) float64 {
	if r.Total == 0 {
		return 0
	}
	return r.Share()
}
