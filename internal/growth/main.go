// Growth draws the plots of docs/performance.md, how the server's cost grows with
// listeners, voices and rooms, and of docs/distributed.md, how a coordinator's does with
// workers. It reads docs/growth.csv, one run a row, and adds a row for each summary in its
// arguments:
//
//	earshot run SCENARIO --summary run.json
//	go run ./internal/growth run.json
//
// The rows of docs/workers.csv are a test's, which simulates the workers, and those of docs/scale.csv
// another's, which simulates nodes: with them and the runs it fits the model of docs/scale.md, whose tables
// -tables prints.
package main

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/earshot-audio/earshot/internal/chart"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "growth:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("growth", flag.ContinueOnError)
	flags.SetOutput(stderr)
	figures := flags.String("figures", "docs/growth.csv", "the figures, a run a row")
	coordinators := flags.String("workers", "docs/workers.csv", "the figures of coordinators, a run a row")
	traffic := flags.String("scale", "docs/scale.csv", "the figures of simulated nodes, a run a row")
	tables := flags.Bool("tables", false, "print the tables of docs/scale.md")
	out := flags.String("out", "docs/images", "where the plots go")
	if err := flags.Parse(args); err != nil {
		return err
	}
	runs, err := read(*figures, columns)
	if err != nil && (flags.NArg() == 0 || !errors.Is(err, os.ErrNotExist)) {
		return err
	}
	coordinated, err := read(*coordinators, workerColumns)
	if err != nil {
		return err
	}
	simulated, err := read(*traffic, trafficColumns)
	if err != nil {
		return err
	}
	for _, path := range flags.Args() {
		r, err := readSummary(path)
		if err != nil {
			return err
		}
		runs = append(runs, r)
	}
	if flags.NArg() > 0 {
		if err := write(*figures, runs); err != nil {
			return err
		}
	}
	if *tables {
		f, err := fit(runs, simulated)
		if err != nil {
			return err
		}
		_, err = io.WriteString(stdout, scaleTables(f, simulated))
		return err
	}
	all := plots(runs)
	maps.Copy(all, workerPlots(coordinated))
	if f, err := fit(runs, simulated); err == nil { // there may be too few runs yet
		maps.Copy(all, scalePlots(f, simulated))
	}
	for name, plot := range all {
		svg, err := plot.Standalone()
		if err != nil {
			return fmt.Errorf("draw %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(*out, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// columns are the names of the values of a [row].
var columns = []string{"rooms", "speakers", "listeners", "server_cpu", "packets_per_core", "server_rss", "latency_p99_ms", "delivered"}

const (
	rooms = iota
	speakers
	listeners
	cpu
	perCore
	rss
	p99
	delivered
)

// A row is one run: what was played, in all rooms together, and what it cost the
// server's process, in cores and bytes. Its values have the order of the columns.
type row []float64

// readSummary reads the row of a summary file.
func readSummary(path string) (row, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s struct {
		Scenario struct{ Rooms, Speakers, Listeners float64 }
		Metrics  map[string]struct {
			Value, Rate float64
			P99         float64 `json:"p(99)"`
		}
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return row{
		s.Scenario.Rooms, s.Scenario.Speakers, s.Scenario.Listeners, s.Metrics["server_cpu"].Value,
		s.Metrics["packets_per_core"].Value, s.Metrics["server_rss"].Value, s.Metrics["latency"].P99, s.Metrics["delivered"].Rate,
	}, nil
}

// read reads the rows of a file with these columns.
func read(path string, columns []string) (runs []row, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], columns) {
		return nil, fmt.Errorf("%s: its first row is not %v", path, columns)
	}
	for n, fields := range rows[1:] {
		m := make(row, len(columns))
		for i, text := range fields {
			if m[i], err = strconv.ParseFloat(text, 64); err != nil {
				return nil, fmt.Errorf("%s: row %d: %w", path, n+2, err)
			}
		}
		runs = append(runs, m)
	}
	return runs, nil
}

func write(path string, runs []row) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	rows := [][]string{columns}
	for _, m := range runs {
		var fields []string
		for _, v := range m {
			fields = append(fields, strconv.FormatFloat(v, 'f', -1, 64))
		}
		rows = append(rows, fields)
	}
	return errors.Join(w.WriteAll(rows), f.Close())
}

// plots are the plots by file name.
func plots(runs []row) map[string]chart.Chart {
	one := func(m row) bool { return m[rooms] == 1 && m[speakers] == 1 }
	many := func(m row) bool { return m[rooms] > 1 && m[listeners] == 100*m[rooms] && m[speakers] == m[rooms] }
	voices := func(m row) bool { return m[rooms] == 1 && m[listeners] == 1000 && m[speakers] > 0 }
	return map[string]chart.Chart{
		"growth-packets.svg": {
			Title: "Packets a core", Description: "Packets that listeners received, for each core-second of the server, by the number of listeners, in one room or in rooms of 100 with a speaker each.",
			X: chart.Axis{Label: "listeners"}, Y: chart.Axis{Label: "packets a core-second"},
			Series: []chart.Series{
				{Name: "one room", Style: chart.Lines, Points: points(runs, listeners, perCore, one)},
				{Name: "rooms of 100", Style: chart.Lines, Points: points(runs, listeners, perCore, many)},
			},
		},
		"growth-memory.svg": {
			Title: "Memory", Description: "Resident memory of the server's process, by the number of listeners, in one room or in rooms of 100 with a speaker each.",
			X: chart.Axis{Label: "listeners"}, Y: chart.Axis{Label: "RSS", Unit: chart.Bytes},
			Series: []chart.Series{
				{Name: "one room", Style: chart.Lines, Points: points(runs, listeners, rss, one)},
				{Name: "rooms of 100", Style: chart.Lines, Points: points(runs, listeners, rss, many)},
			},
		},
		"growth-voices.svg": {
			Title: "Voices", Description: "Cores that the server used for a room of 1,000 listeners, by how many talk at once.",
			X: chart.Axis{Label: "talking at once"}, Y: chart.Axis{Label: "cores"},
			Series: []chart.Series{{Name: "1,000 listeners", Style: chart.Lines, Points: points(runs, speakers, cpu, voices)}},
		},
	}
}

// points are the medians of y over the runs with the same x, ordered by x.
func points(runs []row, x, y int, of func(row) bool) (all []chart.Point) {
	same := map[float64][]float64{}
	for _, m := range runs {
		if of(m) {
			same[m[x]] = append(same[m[x]], m[y])
		}
	}
	for at, values := range same {
		slices.Sort(values)
		all = append(all, chart.Point{X: at, Y: values[len(values)/2]})
	}
	slices.SortFunc(all, func(a, b chart.Point) int { return cmp.Compare(a.X, b.X) })
	return all
}
