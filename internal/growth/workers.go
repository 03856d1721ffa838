package main

import "github.com/earshot-audio/earshot/internal/chart"

// workerColumns are the names of the values of a coordinator's row: what was simulated, what it
// cost the coordinator's process with its NATS server, in cores and bytes, how old a second
// of the run was at most when a worker told it, and how late it was merged and shown at most: after
// the five seconds in which a packet of it may come.
var workerColumns = []string{"workers", "listeners", "packets", "coordinator_cpu", "coordinator_rss", "told_s", "late_s"}

const (
	ofWorkers      = 0
	coordinatorCPU = 3
	coordinatorRSS = 4
	lateness       = 6
)

// workerPlots are the plots of coordinators by file name.
func workerPlots(runs []row) map[string]chart.Chart {
	all := func(row) bool { return true }
	x := chart.Axis{Label: "workers of 5,000 listeners"}
	return map[string]chart.Chart{
		"workers-cpu.svg": {
			Title: "A coordinator's CPU", Description: "Cores that the coordinator's process used with its NATS server, by the number of simulated workers, each of 5,000 listeners.",
			X: x, Y: chart.Axis{Label: "cores"},
			Series: []chart.Series{{Name: "coordinator and NATS server", Style: chart.Lines, Points: points(runs, ofWorkers, coordinatorCPU, all)}},
			Limits: []chart.Limit{{Y: 1, Text: "one core"}},
		},
		"workers-memory.svg": {
			Title: "A coordinator's memory", Description: "Resident memory of the coordinator's process, by the number of simulated workers.",
			X: x, Y: chart.Axis{Label: "RSS", Unit: chart.Bytes},
			Series: []chart.Series{{Name: "coordinator and NATS server", Style: chart.Lines, Points: points(runs, ofWorkers, coordinatorRSS, all)}},
		},
		"workers-lag.svg": {
			Title: "How late a merged second is", Description: "How late at most a second of the run is merged and shown, by the number of simulated workers: counted from when no packet of it can come any more, five seconds after its end.",
			X: x, Y: chart.Axis{Label: "after the last packet", Unit: chart.Seconds},
			Series: []chart.Series{{Name: "merged and shown", Style: chart.Lines, Points: points(runs, ofWorkers, lateness, all)}},
			Limits: []chart.Limit{{Y: 3, Text: "three seconds"}},
		},
	}
}
