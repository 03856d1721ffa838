package host

import (
	"os"
	"path/filepath"
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
			assert.Equal(t, c.drops, dropsIn(writeFiles(t, map[string]string{c.file: c.text})))
		})
	}
	assert.Zero(t, dropsIn("/nowhere"))
}

func TestDropsSinceAnEarlierReading(t *testing.T) {
	d := Drops{10, 2, 3, 4}.Sub(Drops{4, 5, 3, 0})
	assert.Equal(t, Drops{6, 2, 0, 4}, d, "a counter that is lower was reset")
	assert.EqualValues(t, 12, d.Total())
}
