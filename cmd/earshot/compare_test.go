package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

// summaries writes summary files with these 99th percentiles of the latency in ms,
// and returns their names.
func summaries(t *testing.T, name, verdict string, p99s ...float64) (files []string) {
	t.Helper()
	for i, p := range p99s {
		path := fmt.Sprintf("%s-%d.json", name, i+1)
		require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `{"schema_version": 1, "verdict": %q, "reasons": ["the generator was late"],
  "scenario": {"name": "one speaker, 500 listeners", "seed": 1, "driver": "earshot", "rooms": 1, "listeners": 500},
  "environment": {"cpus": 2, "arch": "amd64", "version": "v1"},
  "thresholds": [{"metric": "latency", "expression": "p(99) < 20ms", "value": %v}, {"metric": "delivered", "expression": "rate >= 0.9999", "value": 0.999999}],
  "metrics": {
    "delivered": {"kind": "rate", "rate": 0.999999, "passes": 999999, "total": 1000000},
    "latency": {"kind": "trend", "unit": "ms", "count": 1000000, "med": %v, "p(99)": %v, "p(99.9)": %v},
    "server_rss": {"kind": "gauge", "unit": "bytes", "value": %d},
    "packets_per_core": {"kind": "gauge", "value": %v}}}`, verdict, p, p/3, p, p*2, 60<<20, 1e6/p), 0o644))
		files = append(files, path)
	}
	return files
}

func TestCompare(t *testing.T) {
	t.Chdir(t.TempDir())
	summaries(t, "base", "pass", 4.99, 5.02, 5.10, 4.95, 5.05, 5.01)
	summaries(t, "slow", "fail", 6.99, 7.02, 7.10, 6.95, 7.05, 7.01)
	summaries(t, "same", "pass", 5.00, 5.03, 4.94, 5.12, 5.04, 4.98)
	summaries(t, "broken", "invalid", 5)
	other := summaries(t, "other", "pass", 5)[0]
	text, err := os.ReadFile(other)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(other, bytes.Replace(text, []byte(`"v1"`), []byte(`"v2"`), 1), 0o644))
	for _, c := range []struct {
		name string
		args string
		code int
		gold string
	}{
		{"several runs a side that got worse", "--base base-1.json base-2.json base-3.json base-4.json base-5.json base-6.json --new slow-1.json slow-2.json slow-3.json slow-4.json slow-5.json slow-6.json --fail-on-regression 5%", cli.ExitFail, "compare-worse.txt"},
		{"several runs a side that are alike", "--fail-on-regression 5% --base base-1.json base-2.json base-3.json base-4.json --new same-1.json same-2.json same-3.json same-4.json", cli.ExitPass, "compare-alike.txt"},
		{"several runs a side that got better", "--base slow-1.json slow-2.json slow-3.json slow-4.json --new base-1.json --new base-2.json --new base-3.json --new=base-4.json --fail-on-regression=5%", cli.ExitPass, "compare-better.txt"},
		{"one run a side, much worse", "base-1.json slow-1.json --fail-on-regression 5%", cli.ExitInvalid, "compare-one.txt"},
		{"one run a side, hardly worse", "base-1.json same-1.json --fail-on-regression 5%", cli.ExitInvalid, ""},
		{"one run a side, worse and not asked", "base-1.json slow-1.json", cli.ExitPass, ""},
		{"worse by less than asked", "--base base-1.json base-2.json base-3.json base-4.json --new slow-1.json slow-2.json slow-3.json slow-4.json --fail-on-regression 50%", cli.ExitPass, ""},
		{"noise larger than the limit", "--base base-1.json slow-1.json base-2.json --new slow-2.json base-3.json slow-3.json --fail-on-regression 5%", cli.ExitInvalid, "compare-unclear.txt"},
		{"another version", "--base base-1.json --new other-1.json", cli.ExitInvalid, "compare-version.txt"},
		{"another version, allowed", "--base base-1.json --new other-1.json --allow version", cli.ExitPass, ""},
		{"an invalid run", "base-1.json broken-1.json", cli.ExitInvalid, "compare-invalid.txt"},
		{"an invalid run, and asked", "base-1.json broken-1.json --fail-on-regression 5%", cli.ExitInvalid, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, code := command(t, append([]string{"compare"}, strings.Fields(c.args)...)...)
			assert.Equal(t, c.code, code, stdout)
			assert.Empty(t, stderr)
			if c.gold != "" {
				golden(t, c.gold, stdout)
			}
		})
	}
}

func TestCompareRejectsBadUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	summaries(t, "base", "pass", 5)
	require.NoError(t, os.WriteFile("none.json", []byte("{}"), 0o644))
	for _, c := range []struct{ name, args, says string }{
		{"no file", "", "give two summaries"},
		{"one file", "base-1.json", "give two summaries"},
		{"three files", "base-1.json base-1.json base-1.json", "give two summaries"},
		{"one side alone", "--base base-1.json", "need a file each"},
		{"a flag without files", "--base --new base-1.json", "need a file each"},
		{"a flag at the end", "--base base-1.json --new", "flag needs an argument: --new"},
		{"a file of no side", "base-1.json --base base-1.json --new base-1.json", "belongs to neither"},
		{"a file that is not there", "base-1.json nowhere.json", "nowhere.json"},
		{"a file that is no summary", "base-1.json none.json", "none.json: not a summary"},
		{"a limit without its sign", "base-1.json base-1.json --fail-on-regression 5", "write it like 5%"},
		{"a limit below 0", "base-1.json base-1.json --fail-on-regression -5%", "write it like 5%"},
		{"a difference that can't be allowed", "base-1.json base-1.json --allow mood", "machine, version, scenario"},
		{"an unknown flag", "base-1.json base-1.json --fail", "unknown flag: --fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, code := command(t, append([]string{"compare"}, strings.Fields(c.args)...)...)
			assert.Equal(t, cli.ExitUsage, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, c.says)
		})
	}
}
