package loadgen

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// room is a scenario of so many rooms with speakers and listeners.
func room(rooms, speakers, listeners int) *scenario.Scenario {
	return &scenario.Scenario{Rooms: rooms, Room: scenario.Room{Slots: 3}, Cast: []scenario.Group{
		{Role: scenario.Speaker, Count: speakers, Audio: []string{"speech.ogg"}}, {Role: scenario.Listener, Count: listeners},
	}}
}

func TestWhatIsTooSmallIsNamedWithTheFix(t *testing.T) {
	large := Machine{Files: 1 << 20, Cores: 64, Buffer: 8 << 20}
	for _, c := range []struct {
		name    string
		machine Machine
		what    *scenario.Scenario
		own     bool
		warning string // "" is none
		refusal string
	}{
		{"a large machine has nothing to say", large, room(1, 3, 5000), true, "", ""},
		{"two cores carry 5,000 listeners and their server", Machine{Files: 1 << 20, Cores: 2, Buffer: 4 << 20}, room(1, 1, 5000), true, "", ""},
		{"and not 8,000", Machine{Files: 1 << 20, Cores: 2, Buffer: 4 << 20}, room(1, 1, 8000), true, "about 2.6 cores to serve and receive, and this process may use 2", ""},
		{"unless the server is elsewhere", Machine{Files: 1 << 20, Cores: 2, Buffer: 4 << 20}, room(1, 1, 8000), false, "", ""},
		{"three voices are three times as much", Machine{Files: 1 << 20, Cores: 2, Buffer: 8 << 20}, room(1, 3, 5000), false, "the run has 750450 packets a second", ""},
		{"no more voices are passed on than there are slots", Machine{Files: 1 << 20, Cores: 2, Buffer: 8 << 20}, room(1, 6, 5000), false, "the run has 750900 packets a second", ""},
		{"rooms count", Machine{Files: 1 << 20, Cores: 1, Buffer: 8 << 20}, room(100, 1, 99), false, "about 1.2 cores to receive", ""},
		{"a buffer of the system's default is enough for 5,000 listeners", Machine{Files: 1 << 20, Cores: 2}, room(1, 1, 5000), true, "", ""},
		{"and not for three voices on one core", Machine{Files: 1 << 20, Cores: 1}, room(1, 3, 2000), false, "enough for 23 clients: 88 sockets take more to read than 1 cores may have, which makes the run invalid; run: sysctl -w net.core.rmem_max=8388608", ""},
		{"too few files are a refusal", Machine{Files: 1024, Cores: 64, Buffer: 8 << 20}, room(1, 1, 500), true, "", "this process may have 1024: raise the limit with ulimit -n 1131"},
		{"a system without a limit of files has none to raise", Machine{Cores: 64, Buffer: 8 << 20}, room(1, 1, 5000), true, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			warnings, err := c.machine.Preflight(c.what, c.own)
			if c.refusal != "" {
				require.ErrorContains(t, err, c.refusal)
				return
			}
			require.NoError(t, err)
			if c.warning == "" || !sharing && c.machine.Cores == large.Cores {
				assert.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			assert.Contains(t, warnings[0], c.warning)
		})
	}
}

func TestThisMachineIsWhatThisProcessMayUse(t *testing.T) {
	m := ThisMachine()
	assert.Positive(t, m.Cores)
	assert.Contains(t, buffers, m.Buffer)
	if limit, ok := openFiles(); ok {
		assert.Equal(t, limit, m.Files)
		_, err := m.Preflight(room(1, 1, int(min(limit, 1<<30))), true)
		assert.ErrorContains(t, err, "ulimit -n")
	}
}

func TestAsManyClientsShareASocketAsItHoldsThePacketsOf(t *testing.T) {
	for _, c := range []struct {
		name           string
		buffer, voices int
		want           int
	}{
		{"a large buffer is shared by as many as fill the batches", 8 << 20, 1, 2500},
		{"less, if each hears more voices", 8 << 20, 3, 910},
		{"less, if the buffer is smaller", 4 << 20, 1, 1365},
		{"the system's default is enough for some", 0, 1, 69},
		{"a room where nobody speaks counts as one with a voice", 0, 0, 69},
		{"never so few that sockets could be spared", 4096, 3, 16},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, sharers(c.buffer, c.voices)) })
	}
}

func TestARunContendsWithItsServerForCoresThatAreFew(t *testing.T) {
	two := Machine{Cores: 2}
	assert.True(t, two.Contended(room(1, 1, 5000)))
	assert.False(t, two.Contended(room(1, 1, 500)))
	assert.False(t, Machine{Cores: 64}.Contended(room(1, 1, 5000)))
}
