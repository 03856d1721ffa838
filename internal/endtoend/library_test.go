package endtoend_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// docs/library.md shows this test as it is here.

func TestAudienceHearsTheTalk(t *testing.T) {
	url := serve(t) // starts the server under test, and returns its URL

	const listeners = 20
	s, err := scenario.Parse("talk", fmt.Appendf(nil, `
name: a talk
cast:
  - {role: speaker, count: 1, audio: "builtin:speech"}
  - {role: listener, count: %d, arrive: {within: 1s}}
hold: 3s
thresholds:
  joined: ["rate == 1"]
  delivered: ["rate >= 0.99"]
`, listeners))
	require.NoError(t, err)

	d, err := whep.New(url+"/rooms/{room}/whip", url+"/rooms/{room}/whep", "", nil)
	require.NoError(t, err)
	result, err := loadgen.Run(t.Context(), loadgen.Config{Scenario: s, Driver: d})
	require.NoError(t, err)

	judged := report.Judge(result, s.Thresholds)
	switch judged.Verdict {
	case report.Invalid:
		t.Skip("this machine can't tell: ", judged.Reasons)
	case report.Fail:
		var text bytes.Buffer
		require.NoError(t, judged.WriteText(&text))
		t.Error(text.String())
	}
	joined, ok := result.Values["joined"].(metric.Rate)
	require.True(t, ok)
	assert.EqualValues(t, listeners, joined.Passes)
	if latency, ok := result.Values["latency"].(*metric.Trend); assert.True(t, ok) {
		t.Logf("99 %% of packets came within %.1f ms", latency.Quantile(99))
	}
}

func TestLibraryDocumentShowsTheTest(t *testing.T) {
	source, err := os.ReadFile("library_test.go")
	require.NoError(t, err)
	_, test, found := strings.Cut(string(source), "func TestAudienceHearsTheTalk")
	require.True(t, found)
	test, _, found = strings.Cut(test, "\n}\n")
	require.True(t, found)
	document, err := os.ReadFile("../../docs/library.md")
	require.NoError(t, err)
	assert.Contains(t, string(document), "func TestAudienceHearsTheTalk"+test+"\n}\n```", "copy the test to docs/library.md")
}
