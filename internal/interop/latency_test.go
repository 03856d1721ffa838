package interop_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lectureAudiences are so many that the time that LiveKit takes for all of them can be told from that for one.
var lectureAudiences = []int{1, 100, 500}

// TestLatencyBesideLiveKitsOwn plays a lecture, and sets the latency beside what LiveKit measures of itself: the time
// from a packet's arrival until it has been sent to the last listener. Nothing is required of the figures: the machine
// decides.
func TestLatencyBesideLiveKitsOwn(t *testing.T) {
	livekit, _ := refereed(t)
	if !inOwnNetwork(t) {
		return
	}
	earshot := buildEarshot(t)
	livekit.configuration = strings.Replace(livekit.configuration, "rtc: {",
		"prometheus_port: 6789, rtc: {forward_stats: {summary_interval: 1s, report_interval: 1s, report_window: 10s}, ", 1)
	rows := "| listeners | verdict | earshot: p(50) | mean | p(99) | LiveKit: until the last is served, mean | half of it |\n|---|---|---|---|---|---|---|\n"
	decided := true
	for _, n := range lectureAudiences {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			server := livekit.start(t, earshot)
			stop, samples := make(chan struct{}), make(chan []forwarded)
			go func() { samples <- sample(stop) }()
			text, said := livekit.play(t, earshot, server.Pid, true, "run", lecture, "-q", "--listeners", strconv.Itoa(n), "--hold", "15s")
			close(stop)
			is := played{text: string(said)}
			require.NoError(t, json.Unmarshal(text, &is))
			own := mean(<-samples, is)
			latency := is.Metrics["latency"]
			row := fmt.Sprintf("| %d | %s | %.2f ms | %.2f ms | %.2f ms | %.2f ms | %.2f ms |\n", n, is.Verdict, latency.P50, latency.Avg, latency.P99, own, own/2)
			t.Log(row)
			rows += row
			decided = decided && is.Verdict != "invalid"
		})
	}
	t.Logf("\n%s", rows)
	if *update && decided && !t.Failed() { // the figures of a machine that was too busy are nobody's
		write(t, "make interop UPDATE=1, with LiveKit's own latency,", rows)
	}
}

// forwarded is what LiveKit says of all packets that it has forwarded up to a moment.
type forwarded struct {
	at             time.Time
	packets, spent float64 // how many, and their sum, in nanoseconds
}

// sample asks LiveKit every half second, until it is to stop.
func sample(stop <-chan struct{}) (all []forwarded) {
	for {
		f := forwarded{at: time.Now()}
		if resp, err := http.Get("http://127.0.0.1:6789/metrics"); err == nil {
			lines := bufio.NewScanner(resp.Body)
			for lines.Scan() {
				name, value, _ := strings.Cut(lines.Text(), "} ")
				n, _ := strconv.ParseFloat(value, 64)
				switch {
				case strings.HasPrefix(name, "livekit_forward_latency_ns_count{"):
					f.packets = n
				case strings.HasPrefix(name, "livekit_forward_latency_ns_sum{"):
					f.spent = n
				}
			}
			_ = resp.Body.Close()
			all = append(all, f)
		}
		select {
		case <-stop:
			return all
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// mean is that of what was forwarded in a run's steady state, in milliseconds.
func mean(samples []forwarded, is played) float64 {
	from, until := is.steady()
	var first, last forwarded
	for _, s := range samples {
		if first.at.IsZero() && s.at.After(from) {
			first = s
		}
		if s.at.Before(until) {
			last = s
		}
	}
	if last.packets <= first.packets {
		return 0 // it does not say
	}
	return (last.spent - first.spent) / (last.packets - first.packets) / 1e6
}
