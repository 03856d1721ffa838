package loadgen

import (
	"errors"
	"fmt"

	"github.com/earshot-audio/earshot/loadgen/cast"
	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/share"
)

const (
	// spareFiles is how many files a run opens beside its people's: its own, its audio
	// and its HTTP connections.
	spareFiles = 128

	// framesPerSecond is how many frames a voice has each second.
	framesPerSecond = 50
	// receivedPerCore and servedPerCore are how many packets a second one core receives
	// as the crowd, and serves as earshot's server, with room for the joins. They are
	// the figures of docs/performance.md, rounded down.
	receivedPerCore, servedPerCore = 400_000, 250_000
	// markedPerCore is how many packets a second one core decodes and finds the mark in.
	markedPerCore = 8_000
	// maxCPUShare is the share of the cores that a run may need. Beyond it, packets wait
	// too long for a core.
	maxCPUShare = 0.9
)

// Preflight checks, before anything starts, whether the machine's limits are enough for
// a scenario. It returns an error if the run is impossible, and warnings if it will
// probably be invalid, each with what to do about it. own means that the run's own
// server is on the same machine.
func Preflight(m host.Limits, s *scenario.Scenario, own bool) (warnings []string, err error) {
	return PreflightShared(m, s, own, 0)
}

// PreflightShared is that for a machine on which so many workers play the scenario, each of
// them as large a part; without workers it is one process.
func PreflightShared(m host.Limits, s *scenario.Scenario, own bool, workers int) (warnings []string, err error) {
	if err := check(m, s, workers, max(workers, 1), client.SharesSockets); err != nil {
		return nil, err
	}
	for _, warning := range []string{warnOfCores(m, s, own), warnOfBuffers(m, s)} {
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return warnings, nil
}

// check returns an error for what a machine cannot do for a scenario that so many workers
// play, so many of them on it. shared means that its listeners share their media
// sockets.
func check(m host.Limits, s *scenario.Scenario, workers, processes int, shared bool) error {
	return errors.Join(checkFiles(m, s, workers, shared), checkScoring(m, s, workers, processes))
}

// sharesSockets reports whether the listeners share their media sockets: those of a server
// on the loopback interface do, where the system has what that takes.
func sharesSockets(d driver.Driver) bool { return client.SharesSockets && d.Loopback() }

// checkFiles returns an error if a run needs more open files than are allowed.
func checkFiles(m host.Limits, s *scenario.Scenario, workers int, shared bool) error {
	if m.Files == 0 {
		return nil
	}
	files := uint64(0)
	for _, g := range s.Cast {
		// A signaling connection and a media socket, and on stage a second media socket.
		each := uint64(2)
		if g.Role != scenario.Listener {
			each = 3
		} else if shared {
			each = 1
		}
		files += each * uint64(g.Count) * uint64(s.Rooms)
		if shared && g.Role == scenario.Listener { // who does not go by UDP has a connection of their own
			for n := range g.Count * s.Rooms {
				if g.Transport.Of(n) != network.UDP {
					files++
				}
			}
		}
	}
	if shared {
		files += uint64(share.Probes(s)) // each has a socket of its own
	}
	n := uint64(max(workers, 1))
	need := spareFiles + (files+n-1)/n
	if need > m.Files {
		return fmt.Errorf("the run needs about %d open files and this process may have %d: raise the limit with ulimit -n %d, or cast fewer people", need, m.Files, need)
	}
	return nil
}

// warnOfCores warns if the cores can't be expected to carry the run's packets.
func warnOfCores(m host.Limits, s *scenario.Scenario, own bool) string {
	packets, need := estimateLoad(s, own)
	if need <= maxCPUShare*m.Usable() {
		return ""
	}
	doing := "receive"
	if own {
		doing = "serve and receive"
	}
	return fmt.Sprintf("the run has %d packets a second, which take about %.1f cores to %s, and this process may use %.4g: it is likely to be invalid; cast fewer people, or use a larger machine%s",
		packets, need, doing, m.Usable(), map[bool]string{true: " or one more, with --target"}[own])
}

// estimateLoad returns how many packets a second a run has, and how many cores they
// need.
func estimateLoad(s *scenario.Scenario, own bool) (packets int, cores float64) {
	for _, g := range s.Cast {
		packets += g.Count * cast.VoicesHeard(s, g) * framesPerSecond * s.Rooms
	}
	cores = float64(packets) / receivedPerCore
	if s.AudioCheck == scenario.CheckMarker {
		cores += float64(packets) / markedPerCore
	}
	if own {
		cores += float64(packets) / servedPerCore
	}
	return packets, cores
}

// Contended reports whether a run and its own server are expected to compete for the
// cores: together they need more than half of them.
func Contended(m host.Limits, s *scenario.Scenario) bool {
	_, need := estimateLoad(s, true)
	return need > m.Usable()/2
}

// maxSocketsPerCore is how many sockets one core can be expected to read for the crowd.
const maxSocketsPerCore = 64

// warnOfBuffers warns if receive buffers are so small that the clients need more sockets
// than the cores can read: each socket wakes its reader for only a few packets.
func warnOfBuffers(m host.Limits, s *scenario.Scenario) string {
	if !client.SharesSockets {
		return ""
	}
	clients := 0
	for _, g := range s.Cast {
		clients += g.Count * s.Rooms
	}
	each := client.ClientsPerSocket(m.ReceiveBuffer, cast.MaxVoices(s))
	sockets := (clients + each - 1) / each
	if sockets <= maxSocketsPerCore*m.Cores {
		return ""
	}
	return fmt.Sprintf("a socket's receive buffer may have %d bytes, which is enough for %d clients: %d sockets take more to read than %d cores may have, which makes the run invalid; run: sysctl -w net.core.rmem_max=%d",
		max(m.ReceiveBuffer, host.DefaultReceiveBuffer), each, sockets, m.Cores, host.LargestReceiveBuffer)
}
