package loadgen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// room returns a scenario with rooms of speakers and listeners.
func room(rooms, speakers, listeners int) *scenario.Scenario {
	return &scenario.Scenario{Rooms: rooms, Room: scenario.RoomSpec{Slots: 3}, Cast: []scenario.Group{
		{Role: scenario.Speaker, Count: speakers, Audio: []string{"speech.ogg"}}, {Role: scenario.Listener, Count: listeners},
	}}
}

func TestPreflightSaysWhatToChange(t *testing.T) {
	large := host.Limits{Files: 1 << 20, Cores: 64, ReceiveBuffer: 8 << 20}
	for _, c := range []struct {
		name    string
		machine host.Limits
		what    *scenario.Scenario
		own     bool
		warning string // "" is none
		refusal string
	}{
		{"a large machine gives no warning", large, room(1, 3, 5000), true, "", ""},
		{"two cores carry 5,000 listeners and their server", host.Limits{Files: 1 << 20, Cores: 2, ReceiveBuffer: 4 << 20}, room(1, 1, 5000), true, "", ""},
		{"two cores do not carry 8,000 listeners and their server", host.Limits{Files: 1 << 20, Cores: 2, ReceiveBuffer: 4 << 20}, room(1, 1, 8000), true, "about 2.6 cores to serve and receive, and this process may use 2", ""},
		{"a quota of half a core does not", host.Limits{Files: 1 << 20, Cores: 2, Quota: 0.5, ReceiveBuffer: 4 << 20}, room(1, 1, 5000), false, "and this process may use 0.5", ""},
		{"two cores carry 8,000 listeners of a server elsewhere", host.Limits{Files: 1 << 20, Cores: 2, ReceiveBuffer: 4 << 20}, room(1, 1, 8000), false, "", ""},
		{"three voices make three times as many packets", host.Limits{Files: 1 << 20, Cores: 2, ReceiveBuffer: 8 << 20}, room(1, 3, 5000), false, "the run has 750450 packets a second", ""},
		{"only as many voices count as there are slots", host.Limits{Files: 1 << 20, Cores: 2, ReceiveBuffer: 8 << 20}, room(1, 6, 5000), false, "the run has 750900 packets a second", ""},
		{"the packets of all rooms count", host.Limits{Files: 1 << 20, Cores: 1, ReceiveBuffer: 8 << 20}, room(100, 1, 99), false, "about 1.2 cores to receive", ""},
		{"a default buffer is enough for 5,000 listeners", host.Limits{Files: 1 << 20, Cores: 2}, room(1, 1, 5000), true, "", ""},
		{"a default buffer is too small for three voices on one core", host.Limits{Files: 1 << 20, Cores: 1}, room(1, 3, 2000), false, "enough for 23 clients: 88 sockets take more to read than 1 cores may have, which makes the run invalid; run: sysctl -w net.core.rmem_max=33554432", ""},
		{"15,000 listeners of a loopback server share their media sockets", host.Limits{Files: 20_000, Cores: 64, ReceiveBuffer: 8 << 20}, room(1, 1, 15_000), true, "", ""},
		{"too few open files are an error", host.Limits{Files: 1024, Cores: 64, ReceiveBuffer: 8 << 20}, room(1, 1, 1000), true, "", "this process may have 1024: raise the limit with ulimit -n "},
		{"no limit of open files is no error", host.Limits{Cores: 64, ReceiveBuffer: 8 << 20}, room(1, 1, 5000), true, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			warnings, err := Preflight(c.machine, c.what, c.own)
			if c.refusal != "" {
				require.ErrorContains(t, err, c.refusal)
				return
			}
			require.NoError(t, err)
			if c.warning == "" || !client.SharesSockets && c.machine.Cores == large.Cores {
				assert.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			assert.Contains(t, warnings[0], c.warning)
		})
	}
}

func TestPreflightRefusesToScoreMoreThanItCan(t *testing.T) {
	two, many := host.Limits{Cores: 2}, room(1, 1, 20_000)
	many.Hold = scenario.Duration(time.Minute)
	_, err := Preflight(two, many, false)
	require.NoError(t, err)
	many.AudioScore = true
	_, err = Preflight(two, many, false)
	require.ErrorContains(t, err, "to score what 200 probes hear would take about 4m0s after the run, and 2m0s is the most: cast fewer listeners")
	many.Hold = scenario.Duration(10 * time.Second)
	_, err = Preflight(two, many, false)
	assert.NoError(t, err, "a short hold is soon scored")
}

func TestPreflightRefusesMorePeopleThanOpenFiles(t *testing.T) {
	m := host.CurrentLimits()
	if m.Files == 0 {
		t.Skip("the system has no limit of files")
	}
	_, err := Preflight(m, room(1, 1, int(min(m.Files, 1<<30))), true)
	assert.ErrorContains(t, err, "ulimit -n")
}

func TestContendedOnFewCores(t *testing.T) {
	two := host.Limits{Cores: 2}
	assert.True(t, Contended(two, room(1, 1, 5000)))
	assert.False(t, Contended(two, room(1, 1, 500)))
	assert.False(t, Contended(host.Limits{Cores: 64}, room(1, 1, 5000)))
}

func TestScoringIsSharedByMachines(t *testing.T) {
	s, err := scenario.Parse("scored", []byte("name: scored\nroom: {capacity: 50000}\naudio_score: true\ncast:\n  - {role: speaker, count: 1, audio: builtin:speech}\n  - {role: listener, count: 20000}\nhold: 1m\n"))
	require.NoError(t, err)
	m := host.Limits{Cores: 2}
	for _, c := range []struct {
		sentence           string
		workers, processes int
		refused            bool
	}{
		{"one process has all probes", 0, 1, true},
		{"so has a machine with all workers", 4, 4, true},
		{"one of four machines has a quarter", 4, 1, false},
	} {
		err := checkScoring(m, s, c.workers, c.processes)
		if c.refused {
			assert.ErrorContains(t, err, "200 probes", c.sentence)
		} else {
			assert.NoError(t, err, c.sentence)
		}
	}
}

func TestCheckFilesCountsTheSocketsThatAreShared(t *testing.T) {
	const allowed = 5000
	for _, c := range []struct {
		name   string
		what   *scenario.Scenario
		of     int
		shared bool
		need   string // "" if the files are enough
	}{
		{"listeners with shared sockets need one file each", room(1, 1, 4500), 1, true, ""},
		{"and probes need one more", room(1, 1, 4900), 1, true, "5080"},
		{"listeners with sockets of their own need two", room(1, 1, 4500), 1, false, "9131"},
		{"people on stage need three whatever the listeners share", room(1, 2000, 0), 1, true, "6128"},
		{"all rooms count", room(10, 1, 490), 1, true, "5107"},
		{"each of two workers needs half", room(1, 1, 9000), 2, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkFiles(host.Limits{Files: allowed}, c.what, c.of, c.shared)
			if c.need == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, "raise the limit with ulimit -n "+c.need)
		})
	}
}
