package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/problem"
)

// troubled is a run in which a speaker's packets were lost.
func troubled(t *testing.T) *Report {
	run := measured()
	opinions := &metric.Trend{}
	for i := range 500 {
		opinions.Record(2 + float64(i)/250)
	}
	run.Values["recovered"] = metric.Rate{Passes: 776, Total: 1000}
	run.Values["mos"] = opinions
	run.Values["out_of_order"] = metric.Counter(12)
	run.Problems = []problem.Problem{{Doing: "join", Error: "room_full: the room has no seat left", Count: 3}}
	return Judge(run, thresholds(t, "recovered", "rate >= 0.8", "latency", "p(99) < 20ms", "latency", "max < 5ms"))
}

func printed(t *testing.T, r *Report, to Terminal) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.WriteTerminal(&b, to))
	return b.String()
}

func TestTerminalGoldens(t *testing.T) {
	for _, width := range []int{20, 40, 80, 200} {
		name := fmt.Sprintf("terminal-%d.txt", width)
		t.Run(name, func(t *testing.T) {
			text := printed(t, troubled(t), Terminal{Width: width})
			path := filepath.Join("testdata", name)
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "run go test ./loadgen/report -update to make it")
			assert.Equal(t, string(want), text)
		})
	}
}

func TestTerminalFitsEveryWidth(t *testing.T) {
	broken := regexp.MustCompile(`p\([0-9.]*\n|\bp\n|\n\s*(%|ms\b|µs\b)|[≥<]\n|[0-9]\n\s*\.[0-9]|[0-9]\.[0-9]*\n\s*[0-9]+[%mµ]`)
	colours := regexp.MustCompile("\x1b\\[[0-9;]*m")
	report := troubled(t)
	whole := printed(t, report, Terminal{Width: widest})
	for width := narrowest; width <= widest; width++ {
		for _, full := range []bool{false, true} {
			text := printed(t, report, Terminal{Width: width, Full: full})
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				assert.LessOrEqual(t, utf8.RuneCountInString(line), width, line)
			}
			assert.NotRegexp(t, broken, text, "at %d columns", width)
			assert.Contains(t, strings.Join(strings.Fields(text), " "), "✗ fail recovered 77.6 % (needs ≥ 80 %); and 1 other threshold")
		}
		plain := printed(t, report, Terminal{Width: width})
		coloured := printed(t, report, Terminal{Width: width, Colour: true})
		assert.Equal(t, plain, colours.ReplaceAllString(coloured, ""), "colour moves nothing")
	}
	assert.Equal(t, printed(t, report, Terminal{Width: narrowest}), printed(t, report, Terminal{Width: 3}))
	assert.Equal(t, whole, printed(t, report, Terminal{Width: 2000}))
}

func TestWrapBreaksAnIntervalBetweenItsEnds(t *testing.T) {
	for _, row := range []struct {
		name, line string
		want       []string
	}{
		{"an interval that fits", "    ✓ p(99)=2ms…3ms", []string{"    ✓ p(99)=2ms…3ms"}},
		{"one that fits its own line", "    ✓ p(99) < 2ms  p(9)=2ms…3ms", []string{"    ✓ p(99) < 2ms", "      p(9)=2ms…3ms"}},
		{"one that fits no line", "    p(99)=20.29ms…20.78ms", []string{"    p(99)=20.29ms…", "      20.78ms"}},
		{"a word that is no interval", "    http://127.0.0.1:46053", []string{"    http://127.0.0.1", "      :46053"}},
	} {
		t.Run(row.name, func(t *testing.T) { assert.Equal(t, row.want, wrap(row.line, narrowest)) })
	}
}

func TestTerminalSaysInWordsWhatThereWasNoneOf(t *testing.T) {
	run := measured()
	run.Values["delivered"] = metric.Rate{Passes: 1000, Total: 1000}
	run.Values["out_of_order"] = metric.Counter(0)
	text := printed(t, Judge(run, nil), Terminal{})
	assert.Contains(t, text, "no loss, duplicates or reordering\n")
	assert.NotContains(t, text, "out_of_order")
	assert.Contains(t, text, "generator CPU 0.60 of 2 cores, waiting 0.10\n")
	assert.Contains(t, printed(t, troubled(t), Terminal{}), "out_of_order")
	assert.NotContains(t, printed(t, troubled(t), Terminal{}), "reordering")
}

func TestVerdictSaysWhatWasCrossed(t *testing.T) {
	for _, c := range []struct{ metric, expression, want string }{
		{"joined", "rate > 1", "✗ fail  joined 100 % (needs > 100 %)\n"},
		{"latency", "p(99) < 2ms", "✗ fail  latency p(99) 10.89 ms (needs < 2 ms)\n"},
		{"latency", "p(99.9) < 1500us", "✗ fail  latency p(99.9) 10.98 ms (needs < 1.5 ms)\n"},
		{"server_rss", "value < 100MiB", "✗ fail  server_rss 312.0 MiB (needs < 100 MiB)\n"},
		{"server_cpu", "value < 0.25", "✗ fail  server_cpu 0.47 cores (needs < 0.25 cores)\n"},
		{"packets_per_core", "value >= 100000", "✗ fail  packets_per_core 53,210 (needs ≥ 100,000)\n"},
		{"duplicates", "count > 0", "✗ fail  duplicates count 0 (needs > 0)\n"},
		{"joined", "rate == 1", "✓ pass\n"},
	} {
		var b bytes.Buffer
		require.NoError(t, Judge(measured(), thresholds(t, c.metric, c.expression)).WriteVerdict(&b))
		assert.Equal(t, c.want, b.String())
	}
	doubted := measured()
	doubted.Values["delivered"], doubted.Best = metric.Rate{Passes: 8, Total: 10}, metric.Values{"delivered": metric.Rate{Passes: 9, Total: 10}}
	var b bytes.Buffer
	require.NoError(t, Judge(doubted, thresholds(t, "delivered", "rate == 1")).WriteVerdict(&b))
	assert.Equal(t, "✗ fail  delivered 80 %…90 % (needs = 100 %)\n", b.String())
}
