package interop_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var sideBySide = flag.Bool("side-by-side", false, "play TestSideBySide, and not the matrix")

// lecture is the scenario by which servers are set side by side.
const lecture = "../../scenarios/one-speaker-500.yaml"

// audiences are how many listeners each server has, beside the most that it can have.
var audiences = []int{100, 500}

// TestSideBySide plays one scenario against the servers, with two audiences, and looks for the largest that
// each of them can have. Nothing is required of the figures: the machine decides.
func TestSideBySide(t *testing.T) {
	if *built == "" || !*sideBySide {
		t.Skip("sets servers side by side for some twenty minutes: make sidebyside")
	}
	if !inOwnNetwork(t) {
		return
	}
	earshot := buildEarshot(t)
	var rows []string
	for _, p := range peers {
		if p.name == "whip-whep" || p.older || p.mixes {
			continue // an example, and no server that anybody runs; one whose listeners take more than the server; and one that needs marked audio
		}
		t.Run(p.String(), func(t *testing.T) {
			server := p.start(t, earshot)
			row := "| " + p.String()
			for _, n := range audiences {
				is := p.lecture(t, earshot, server.Pid, n)
				join := is.Metrics["join_duration"]
				row += fmt.Sprintf(" | %s, joined in %.0f ms (p(95)), latency p(50) %.1f ms, p(99) %.0f ms, %.0f packets a core, %.0f MiB", is.Verdict,
					join.P95, is.Metrics["latency"].P50, is.Metrics["latency"].P99, is.Metrics["packets_per_core"].Value, is.Metrics["server_rss"].Value/(1<<20))
			}
			rows = append(rows, row+" | "+p.capacity(t, earshot, server.Pid)+" |")
		})
	}
	table := "| server |"
	for _, n := range audiences {
		table += fmt.Sprintf(" %d listeners |", n)
	}
	table += " the most listeners |\n|---|" + strings.Repeat("---|", len(audiences)+1) + "\n" + strings.Join(rows, "\n") + "\n"
	t.Logf("\n%s", table)
	if *update && !t.Failed() {
		write(t, "make sidebyside UPDATE=1", table)
	}
}

// lecture plays with so many listeners.
func (p peer) lecture(t *testing.T, program string, pid, listeners int) (is played) {
	t.Helper()
	text, said := p.play(t, program, pid, true, "run", lecture, "-q", "--listeners", strconv.Itoa(listeners), "--hold", "15s")
	t.Logf("%s", said)
	require.NoError(t, json.Unmarshal(text, &is))
	return is
}

// capacity looks for the most listeners.
func (p peer) capacity(t *testing.T, program string, pid int) string {
	t.Helper()
	text, said := p.play(t, program, pid, true, "capacity", lecture, "-q", "--vary", "listeners", "--from", "250", "--to", "4000", "--within", "25%", "--hold", "8s",
		"--until", "latency: p(99) < 50ms", "--until", "delivered: rate >= 0.9999")
	t.Logf("%s", said)
	var found struct {
		Largest, Beyond *int
		RanOut          []string `json:"ran_out"`
		Steps           []struct {
			Load    int
			Verdict string
			Crossed []string
			Reasons []string
		}
	}
	require.NoError(t, json.Unmarshal(text, &found))
	cell := "less than 250"
	if found.Largest != nil {
		cell = strconv.Itoa(*found.Largest)
	}
	if found.Beyond == nil {
		return cell + " or more"
	}
	for _, s := range found.Steps {
		if s.Load == *found.Beyond && s.Verdict != "pass" {
			return cell + fmt.Sprintf("; %d: %s, %s; ran out: %s", s.Load, s.Verdict, strings.Join(append(s.Crossed, s.Reasons...), ", "),
				cmp.Or(strings.Join(found.RanOut, ", "), "nothing that was measured"))
		}
	}
	return cell
}
