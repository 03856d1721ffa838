package main

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const simulated = "../../docs/scale.csv"

// TestDocsTablesAreUpToDate compares the tables of docs/scale.md with what the figures make of them.
func TestDocsTablesAreUpToDate(t *testing.T) {
	var tables strings.Builder
	require.NoError(t, run([]string{"-figures", "../../docs/growth.csv", "-workers", "../../docs/workers.csv", "-scale", simulated, "-tables"}, &tables, io.Discard))
	page, err := os.ReadFile("../../docs/scale.md")
	require.NoError(t, err)
	for table := range strings.SplitSeq(strings.TrimSpace(tables.String()), "\n\n") {
		assert.Contains(t, string(page), table, "go run ./internal/growth -tables prints it anew")
	}
}

func TestDocsPlotsAreUpToDate(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, run([]string{"-figures", "../../docs/growth.csv", "-workers", "../../docs/workers.csv", "-scale", simulated, "-out", dir}, io.Discard, io.Discard))
	names := slices.AppendSeq(slices.Collect(maps.Keys(plots(nil))), maps.Keys(workerPlots(nil)))
	names = slices.AppendSeq(names, maps.Keys(scalePlots(fitted{}, nil)))
	for _, name := range names {
		want, err := os.ReadFile(filepath.Join("../../docs/images", name))
		require.NoError(t, err, "go run ./internal/growth draws it")
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), "%s: go run ./internal/growth draws it anew", name)
	}
}

func TestSummaryBecomesARow(t *testing.T) {
	dir := t.TempDir()
	summary, figures := filepath.Join(dir, "run.json"), filepath.Join(dir, "growth.csv")
	require.NoError(t, os.WriteFile(summary, []byte(`{
		"scenario": {"name": "a", "rooms": 1, "speakers": 1, "listeners": 1000},
		"metrics": {"server_cpu": {"value": 0.25}, "packets_per_core": {"value": 200000}, "server_rss": {"value": 1024},
			"latency": {"p(99)": 4.5}, "delivered": {"rate": 1}}}`), 0o644))
	for range 2 { // the second time there is a row already
		require.NoError(t, run([]string{"-figures", figures, "-workers", "../../docs/workers.csv", "-scale", simulated, "-out", dir, summary}, io.Discard, io.Discard))
	}
	data, err := os.ReadFile(figures)
	require.NoError(t, err)
	assert.Equal(t, "rooms,speakers,listeners,server_cpu,packets_per_core,server_rss,latency_p99_ms,delivered\n"+
		"1,1,1000,0.25,200000,1024,4.5,1\n1,1,1000,0.25,200000,1024,4.5,1\n", string(data))
}

func TestBadFiguresAreAnError(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.csv")
	for name, text := range map[string]string{
		"a file of something else": "a,b\n1,2\n",
		"a row that is too short":  "rooms,speakers,listeners,server_cpu,packets_per_core,server_rss,latency_p99_ms,delivered\n1,1\n",
		"a row without a number":   "rooms,speakers,listeners,server_cpu,packets_per_core,server_rss,latency_p99_ms,delivered\n1,1,x,1,1,1,1,1\n",
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(bad, []byte(text), 0o644))
			assert.ErrorContains(t, run([]string{"-figures", bad, "-out", dir}, io.Discard, io.Discard), "bad.csv")
			assert.ErrorContains(t, run([]string{"-figures", "../../docs/growth.csv", "-workers", bad, "-out", dir}, io.Discard, io.Discard), "bad.csv")
		})
	}
	assert.ErrorIs(t, run([]string{"-figures", filepath.Join(dir, "none.csv")}, io.Discard, io.Discard), os.ErrNotExist)
}
