package loadgen

import (
	"fmt"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

const (
	// spareFiles is what a run opens besides its people: itself, its audio, its
	// HTTP connections.
	spareFiles = 128

	// frames is how many of a second a voice has.
	framesPerSecond = 50
	// readByCore and servedByCore are how many packets a second a core receives
	// as the crowd, and serves as earshot's own server, with room for the joins:
	// what docs/performance.md measures, rounded down.
	receivedPerCore, servedPerCore = 400_000, 250_000
	// usable is the share of the cores that a run can be expected to get by with:
	// beyond it, packets wait for a core longer than they may.
	maxCPUShare = 0.9
)

// Preflight looks, before anything starts, for what of the machine is too small
// for a scenario, and names it with what to do about it. What would make the run
// impossible is an error. What would likely make it invalid is a warning: the run
// itself will tell. own says that the run's own server is on the machine as well.
func Preflight(m host.Limits, s *scenario.Scenario, own bool) (warnings []string, err error) {
	if err := checkFiles(m, s); err != nil {
		return nil, err
	}
	for _, warning := range []string{warnOfCores(m, s, own), warnOfBuffers(m, s)} {
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return warnings, nil
}

// files refuses a run that needs more open files than are allowed.
func checkFiles(m host.Limits, s *scenario.Scenario) error {
	if m.Files == 0 {
		return nil
	}
	need := uint64(spareFiles)
	for _, g := range s.Cast {
		// A signaling connection and a media socket; on stage a second one.
		each := uint64(2)
		if g.Role != scenario.Listener {
			each = 3
		}
		need += each * uint64(g.Count) * uint64(s.Rooms)
	}
	if need > m.Files {
		return fmt.Errorf("the run needs about %d open files and this process may have %d: raise the limit with ulimit -n %d, or cast fewer people", need, m.Files, need)
	}
	return nil
}

// cores warns of a run whose packets are more than the cores can be expected to
// carry.
func warnOfCores(m host.Limits, s *scenario.Scenario, own bool) string {
	packets, need := estimateLoad(s, own)
	if need <= maxCPUShare*float64(m.Cores) {
		return ""
	}
	doing := "receive"
	if own {
		doing = "serve and receive"
	}
	return fmt.Sprintf("the run has %d packets a second, which take about %.1f cores to %s, and this process may use %d: it is likely to be invalid; cast fewer people, or use a larger machine%s",
		packets, need, doing, m.Cores, map[bool]string{true: " or one more, with --target"}[own])
}

// demand is how many packets a second a run has, and how many cores they take.
func estimateLoad(s *scenario.Scenario, own bool) (packets int, cores float64) {
	for _, g := range s.Cast {
		packets += g.Count * voicesHeard(s, g) * framesPerSecond * s.Rooms
	}
	cores = float64(packets) / receivedPerCore
	if own {
		cores += float64(packets) / servedPerCore
	}
	return packets, cores
}

// Contended reports whether a run and its own server can be expected to get into
// each other's way: together they want more than half of the cores.
func Contended(m host.Limits, s *scenario.Scenario) bool {
	_, need := estimateLoad(s, true)
	return need > float64(m.Cores)/2
}

// crowded is how many sockets a core can be expected to read for the crowd.
const maxSocketsPerCore = 64

// receiveBuffers warns of receive buffers so small that the clients have to be spread over
// more sockets than the cores can read: each wakes its reader for a few packets.
func warnOfBuffers(m host.Limits, s *scenario.Scenario) string {
	if !client.SharesSockets {
		return ""
	}
	clients := 0
	for _, g := range s.Cast {
		clients += g.Count * s.Rooms
	}
	each := client.ClientsPerSocket(m.ReceiveBuffer, maxVoices(s))
	sockets := (clients + each - 1) / each
	if sockets <= maxSocketsPerCore*m.Cores {
		return ""
	}
	return fmt.Sprintf("a socket's receive buffer may have %d bytes, which is enough for %d clients: %d sockets take more to read than %d cores may have, which makes the run invalid; run: sysctl -w net.core.rmem_max=%d",
		max(m.ReceiveBuffer, host.DefaultReceiveBuffer), each, sockets, m.Cores, host.LargestReceiveBuffer)
}

// voices is how many voices at once anybody hears at the most.
func maxVoices(s *scenario.Scenario) (most int) {
	for _, g := range s.Cast {
		most = max(most, voicesHeard(s, g))
	}
	return most
}

// heard is how many voices at once one of a group hears at the most.
func voicesHeard(s *scenario.Scenario, of scenario.Group) int {
	voices := 0
	for _, g := range s.Cast {
		switch {
		case g.Role == scenario.Listener || len(g.Audio) == 0:
		case g.Turns != nil:
			voices += min(g.Count, g.Turns.Overlap)
		default:
			voices += g.Count
		}
	}
	n := min(voices, s.Room.Slots)
	if of.Sections > 0 {
		n = min(n, of.Sections)
	}
	return n
}
