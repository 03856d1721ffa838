package report

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/tally"
)

func TestReportSaysWherePacketsWereLost(t *testing.T) {
	placed := tally.Losses{
		Due: 10_000, Lost: 310, Uplink: tally.Range{Least: 100, Most: 200}, Server: tally.Range{Least: 100, Most: 200},
		Downlink: tally.Range{Least: 10, Most: 10}, Mics: 1, MicsReported: 1, Ears: 500, EarsReported: 495,
	}
	unplaced := placed
	unplaced.MicsReported, unplaced.EarsReported = 0, 0
	for _, c := range []struct {
		sentence string
		losses   tally.Losses
		text     string
		inJSON   bool
	}{
		{"some were lost", placed, "lost: uplink 1%…2%, server 1%…2%, downlink 0.1%, generator 0%; by reports on 1 of 1 mic and to 495 of 500 listeners", true},
		{"none were", tally.Losses{Due: 10_000, Mics: 1, MicsReported: 1, Ears: 500, EarsReported: 495}, "", false},
		{"the server does not report", unplaced, "", true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			run := measured()
			run.Losses = c.losses
			r := Judge(run, nil)
			assert.Equal(t, Pass, r.Verdict, "no verdict rests on it")
			var text, summary bytes.Buffer
			require.NoError(t, r.WriteText(&text))
			require.NoError(t, r.WriteJSON(&summary))
			if c.text == "" {
				assert.NotContains(t, text.String(), "lost: ")
			} else {
				assert.Contains(t, text.String(), c.text)
			}
			assert.Equal(t, c.inJSON, bytes.Contains(summary.Bytes(), []byte(`"losses"`)))
		})
	}
}
