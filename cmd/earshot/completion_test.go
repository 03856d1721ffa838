package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// offered is what the shell offers after some words, without descriptions.
func offered(t *testing.T, words ...string) (all []string) {
	t.Helper()
	stdout, stderr, code := command(t, append([]string{"__complete"}, words...)...)
	require.Equal(t, cli.ExitPass, code, stderr)
	for line := range strings.Lines(stdout) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, ":") {
			word, _, _ := strings.Cut(line, "\t")
			all = append(all, word)
		}
	}
	return all
}

func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		name  string
		words []string
		want  []string // among others
	}{
		{"scenarios", []string{"run", ""}, []string{"smoke", "one-speaker-5000"}},
		{"drivers", []string{"run", "smoke", "--driver", ""}, []string{"earshot", "whep", "livekit", "janus"}},
		{"metrics", []string{"run", "smoke", "--threshold", ""}, []string{"joined:", "latency:", "mos:"}},
		{"what is asked of a rate", []string{"run", "smoke", "--threshold", "joined:"}, []string{"joined: rate >= 0.999"}},
		{"what is asked of a trend", []string{"capacity", "smoke", "--until", "latency: "}, []string{"latency: p(99) < 20ms", "latency: max < 20ms"}},
		{"a selector, which is not known", []string{"run", "smoke", "--threshold", "latency{network:"}, nil},
		{"what is asked of a part", []string{"run", "smoke", "--threshold", "latency{network:3g}:"}, []string{"latency{network:3g}: p(95) < 20ms"}},
		{"what can vary", []string{"capacity", "smoke", "--vary", ""}, []string{"listeners", "speakers", "rooms", "arrival-rate"}},
		{"no metric, no offer", []string{"run", "smoke", "--threshold", "loudness:"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := offered(t, c.words...)
			assert.Subset(t, got, c.want)
			if c.want == nil {
				assert.Empty(t, got)
			}
		})
	}
}

func TestCompletedThresholdsAreThresholds(t *testing.T) {
	for _, d := range metric.Definitions() {
		all := offered(t, "run", "smoke", "--threshold", d.Name+":")
		assert.NotEmpty(t, all, d.Name)
		for _, text := range all {
			name, expression, _ := strings.Cut(text, ":")
			_, err := metric.ParseThreshold(name, strings.TrimSpace(expression))
			assert.NoError(t, err, text)
		}
	}
}
