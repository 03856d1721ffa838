package host

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writeFiles writes files, by path, into a new directory.
func writeFiles(t *testing.T, files map[string]string) (directory string) {
	t.Helper()
	directory = t.TempDir()
	for path, text := range files {
		path = filepath.Join(directory, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return directory
}

func TestDropsAreReadByWhere(t *testing.T) {
	const dev = "Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
	for _, c := range []struct {
		sentence, file, text string
		drops                Drops
	}{
		{"the backlog's are of all cores", "net/softnet_stat",
			"00000001 0000001f 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n" +
				"00000002 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n", Drops{Backlog: 0x1f + 2}},
		{"a full table of connections drops, or fails to insert", "net/stat/nf_conntrack",
			"entries  searched found new invalid ignore delete delete_list insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n" +
				"00000005 00000000 00000007 00000000 00000000 00000000 00000000 00000000 00000000 00000001 00000010 0000000f 00000000 00000000 00000000 00000000 00000000\n" +
				"00000005 00000000 00000007 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000003 0000000f 00000000 00000000 00000000 00000000 00000000\n", Drops{Conntrack: 1 + 0x10 + 3}},
		{"the loopback interface's are other processes' own", "net/dev", dev +
			"    lo:  100       1    0    5    0     0          0         0      100       1    0    6    0     0       0          0\n" +
			"  eth0:  100       1    0    3    0     0          0         0      100       1    0    4    0     0       0          0\n", Drops{Interfaces: 3 + 4}},
		{"sockets without a buffer or memory", "net/snmp",
			"Tcp: A B\nTcp: 1 2\nUdp: InDatagrams RcvbufErrors SndbufErrors MemErrors\nUdp: 9 55 131 4\nUdpLite: SndbufErrors\nUdpLite: 7\n", Drops{Sockets: 131 + 4}},
		{"an unknown form is no drop", "net/softnet_stat", "zz zz zz\n", Drops{}},
		{"nor is a table that is cut short", "net/snmp", "Udp:", Drops{}},
		{"nothing is known", "net/none", "", Drops{}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			proc := t.TempDir()
			counter := newDropCounter(proc)
			put := func(text string) Drops {
				path := filepath.Join(proc, c.file)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
				drops, _ := counter.Read()
				return drops
			}
			assert.Zero(t, put(digit.ReplaceAllString(c.text, "0")), "what was dropped before is not counted")
			assert.Equal(t, c.drops, put(c.text))
			assert.Equal(t, c.drops, put(c.text), "nothing more was dropped")
		})
	}
}

// digit is a digit or a hexadecimal one of a counter.
var digit = regexp.MustCompile(`\b[0-9a-f]+\b`)

func TestDropCounterAddsUpFromReadingToReading(t *testing.T) {
	const head = "Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
	line := func(name string, dropped int) string {
		return fmt.Sprintf("%6s:  100 1 0 %d 0 0 0 0 100 1 0 0 0 0 0 0\n", name, dropped)
	}
	proc := writeFiles(t, map[string]string{"net/dev": head + line("eth0", 1000) + line("veth1", 90_000)})
	counter := newDropCounter(proc)
	for _, c := range []struct {
		sentence, text string // "" is that it can't be read
		dropped        uint64
		complete       bool
	}{
		{"nothing", head + line("eth0", 1000) + line("veth1", 90_000), 0, true},
		{"an interface drops", head + line("eth0", 1005) + line("veth1", 90_000), 5, true},
		{"another one is removed, and another drops", head + line("eth0", 1006), 6, true},
		{"it can't be read: what was known is still so", "", 6, false},
		{"it can be read again, with what was dropped meanwhile", head + line("eth0", 1010), 10, true},
		{"a counter begins anew", head + line("eth0", 2), 12, true},
		{"the interface that was removed is made again", head + line("eth0", 2) + line("veth1", 3), 15, true},
	} {
		path := filepath.Join(proc, "net", "dev")
		if c.text == "" {
			require.NoError(t, os.Remove(path))
		} else {
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o600))
		}
		drops, complete := counter.Read()
		assert.Equal(t, Drops{Interfaces: c.dropped}, drops, c.sentence)
		assert.Equal(t, c.complete, complete, c.sentence)
	}
}

func TestDropCounterOfAMachineThatTellsNothing(t *testing.T) {
	drops, complete := newDropCounter("/nowhere").Read()
	assert.Zero(t, drops)
	assert.True(t, complete, "there is nothing to wait for")
	assert.EqualValues(t, 12, Drops{6, 2, 0, 4}.Total())
}
