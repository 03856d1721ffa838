package interop_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	built  = flag.String("peers", "", "the `folder` with what make peers has built; nothing is played without it")
	update = flag.Bool("update", false, "write the matrix into docs/targets.md")
)

// A game is a scenario, and what comes of it.
type game struct {
	title, scenario string
	publishes       bool // and nobody listens
	// mixed is the scenario for servers that mix; "" if they can't be asked.
	mixed string
	// fails has the peers that do not do what the scenario asks, with or without a version, and
	// what the report then says. All others pass.
	fails map[string]string
	// mayFail has those that fail now and then, and what the report says then.
	mayFail map[string]string
	// without has the peers that can't be asked, with or without a version, and why.
	without map[string]string
}

var games = []game{
	{title: "smoke", scenario: "../../scenarios/smoke.yaml", mixed: "../../scenarios/mix.yaml"},
	{title: "200 listeners", scenario: "testdata/crowd.yaml"},
	{
		title: "10 rooms of 10 listeners", scenario: "testdata/rooms.yaml", mixed: "testdata/mixed/rooms.yaml",
		without: map[string]string{"whip-whep": "it has one room"},
	},
	{
		title: "100 rooms of 3 listeners", scenario: "../../scenarios/hundred-rooms.yaml",
		without: map[string]string{"whip-whep": "it has one room", "livekit v1.8.4": "300 complete clients are too many for two cores"},
	},
	{
		title: "panel of 3 speakers", scenario: "testdata/panel.yaml", mixed: "testdata/mixed/panel.yaml",
		fails: map[string]string{
			"mediamtx":  "2 of 3 publishers were ended by the server", // a path has one publisher
			"whip-whep": "✗ rate >= 0.99",                             // it mixes the publishers' packets up in one track
		},
	},
	{title: "a mic with pauses (DTX)", scenario: "testdata/dtx.yaml"},
	{
		title: "50 publishers in rooms of their own", scenario: "testdata/publishers.yaml", mixed: "testdata/publishers.yaml", publishes: true,
		without: map[string]string{"whip-whep": "it has one room"},
	},
	{
		title: "a speaker is muted, 5 listeners are removed, and 11 people reconnect", scenario: "testdata/moderated.yaml", mixed: "testdata/mixed/moderated.yaml",
		// It restarts ICE of what people receive when they resume their sessions, and sends nothing until it has nominated a pair.
		// How much is lost by that depends on how quick the machine is: from 0.05 % to 0.6 % have been seen.
		mayFail: map[string]string{"livekit v1.8.4": "✗ rate >= 0.999"},
		without: map[string]string{"earshot": noModerators, "mediamtx": noModerators, "whip-whep": noModerators},
	},
	{
		title: "20 listeners who lose 5 %", scenario: "testdata/lossy.yaml", mixed: "testdata/mixed/lossy.yaml",
		fails: map[string]string{ // they do not send audio again
			"janus":     "✗ rate >= 0.99",
			"mediamtx":  "✗ rate >= 0.99",
			"whip-whep": "✗ rate >= 0.99",
		},
	},
	{
		title: "20 listeners who lose 5 %, with redundant audio", scenario: "testdata/redundant.yaml",
		fails: map[string]string{ // they do not take it
			"mediamtx":  "✗ rate > 0.3",
			"whip-whep": "✗ rate > 0.3",
		},
	},
}

const noModerators = "WHIP and WHEP have no moderators"

// TestInterop plays every scenario against every server, and requires the verdicts.
func TestInterop(t *testing.T) {
	if *built == "" || *sideBySide {
		t.Skip("plays against the servers of others for some minutes: make interop")
	}
	if !inOwnNetwork(t) {
		return
	}
	earshot := buildEarshot(t)
	matrix := table{}
	for _, p := range peers {
		for _, g := range games {
			t.Run(p.String()+"/"+g.title, func(t *testing.T) {
				if p.mixes {
					g.scenario = g.mixed
				}
				if why := g.cannot(p); why != "" {
					matrix.enter(g, p, "not played: "+why)
					return
				}
				is := g.play(t, earshot, p)
				want := "pass"
				says := cmp.Or(g.fails[p.String()], g.fails[p.name])
				if is.Verdict == "fail" {
					says = cmp.Or(says, g.mayFail[p.String()])
				}
				if says != "" {
					want = "fail"
					assert.Contains(t, is.text, says)
				}
				if !assert.Equal(t, want, is.Verdict) {
					t.Log(is.text)
				}
				matrix.enter(g, p, is.String())
			})
		}
	}
	t.Logf("\n%s", matrix)
	if *update && !t.Failed() {
		write(t, "make interop UPDATE=1", matrix.String())
	}
}

// cannot is why the game can't be played against a peer, or "".
func (g game) cannot(p peer) string {
	if p.mixes && g.mixed == "" {
		return "it mixes, and marked audio can't be played so"
	}
	return cmp.Or(g.without[p.String()], g.without[p.name])
}

// A played game is what a run says of itself.
type played struct {
	Verdict  string
	Scenario struct {
		Began     time.Time
		ArrivalsS float64 `json:"arrivals_s"`
		SteadyS   float64 `json:"steady_s"`
	}
	Metrics map[string]struct {
		Rate, Value, Max, Avg float64
		Passes, Total         uint64
		P50                   float64 `json:"med"`
		P95                   float64 `json:"p(95)"`
		P99                   float64 `json:"p(99)"`
	}
	text string // the report
}

// play plays against a server of its own. A run that is invalid says nothing of the server,
// so that it is played again, twice at most.
func (g game) play(t *testing.T, earshot string, p peer) (is played) {
	t.Helper()
	server := p.start(t, earshot)
	return untilDecided(t, func() (summary, said []byte) {
		return p.play(t, earshot, server.Pid, !g.publishes, "run", g.scenario)
	})
}

// untilDecided plays until a run is not invalid, three times at most.
func untilDecided(t *testing.T, play func() (summary, said []byte)) (is played) {
	t.Helper()
	for range 3 {
		summary, said := play()
		is = played{text: string(said)}
		require.NoError(t, json.Unmarshal(summary, &is))
		if is.Verdict != "invalid" {
			break
		}
		t.Logf("invalid: %s", said)
	}
	return is
}

// String is the cell of a game: the verdict and the figures behind it.
func (is played) String() string {
	joined, delivered := is.Metrics["joined"], is.Metrics["delivered"]
	if published := is.Metrics["published"]; joined.Total == 0 {
		return fmt.Sprintf("%s: %d of %d published, loss at most %.2f %%, jitter p(50) %.1f ms, p(99) %.0f ms", is.Verdict, published.Passes, published.Total,
			is.Metrics["mic_loss"].Max, is.Metrics["mic_jitter"].P50, is.Metrics["mic_jitter"].P99)
	}
	text := fmt.Sprintf("%s: %d of %d joined, %.2f %% delivered", is.Verdict, joined.Passes, joined.Total, 100*delivered.Rate)
	if latency := is.Metrics["latency"]; latency.P99 > 0 {
		text += fmt.Sprintf(", latency p(50) %.1f ms, p(99) %.0f ms", latency.P50, latency.P99)
	}
	if cores := is.Metrics["packets_per_core"]; cores.Value > 0 {
		text += fmt.Sprintf(", %.0f packets a core", cores.Value)
	}
	return text
}

// A table has a cell for each game and peer.
type table map[string]string

func (m table) enter(g game, p peer, cell string) { m[g.title+"/"+p.String()] = cell }

// String is the table in Markdown, with what was not played left empty.
func (m table) String() string {
	var b bytes.Buffer
	b.WriteString("| scenario |")
	for _, p := range peers {
		fmt.Fprintf(&b, " %s |", p)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(peers)) + "\n")
	for _, g := range games {
		fmt.Fprintf(&b, "| %s |", g.title)
		for _, p := range peers {
			fmt.Fprintf(&b, " %s |", m[g.title+"/"+p.String()])
		}
		b.WriteString("\n")
	}
	return b.String()
}
