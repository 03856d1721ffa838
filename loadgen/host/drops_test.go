package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDropsAreReadByName(t *testing.T) {
	assert.EqualValues(t, 0x1f+2, sumColumn("0001 0000001f 0\n0002 00000002 0\n", 1, 0))
	assert.EqualValues(t, 0x10+1+3, conntrackDrops("entries  found insert_failed drop early_drop\n00000005  00000007 00000001 00000010 0000000f\n00000005  00000007 00000000 00000003 0000000f\n"))
	assert.EqualValues(t, 131+4, udpErrors("Tcp: A B\nTcp: 1 2\nUdp: InDatagrams RcvbufErrors SndbufErrors MemErrors\nUdp: 9 55 131 4\nUdpLite: SndbufErrors\nUdpLite: 7\n"))
	for _, text := range []string{"", "Udp:", "zz zz zz\n", "drop\nxyz\n"} {
		assert.Zero(t, sumColumn(text, 1, 0)+conntrackDrops(text)+udpErrors(text), text)
	}
	net := t.TempDir()
	for path, n := range map[string]string{"lo/statistics/rx_dropped": "5\n", "eth0/statistics/rx_dropped": "3\n", "eth0/statistics/tx_dropped": "4\n"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(net, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(net, path), []byte(n), 0o600))
	}
	assert.EqualValues(t, 7, interfaceDrops(net))
}

func TestDropsSinceAnEarlierReading(t *testing.T) {
	d := Drops{10, 2, 3, 4}.Sub(Drops{4, 5, 3, 0})
	assert.Equal(t, Drops{6, 2, 0, 4}, d, "a counter that is lower was reset")
	assert.EqualValues(t, 12, d.Total())
}
