package endtoend_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/lab"
)

// noPortMapping stands in for libgupnp-igd, with which libnice asks a router for
// a port. Debian's brings libsoup 3 into a process that has libsoup 2 from the
// client itself, and libsoup ends a process that has both.
const noPortMapping = `
void *gupnp_simple_igd_thread_new(void) { return 0; }
void gupnp_simple_igd_add_port(void) {}
void gupnp_simple_igd_remove_port_local(void) {}
unsigned long gupnp_simple_igd_get_type(void) { return 0; }
`

// withoutPortMapping builds that library and returns its folder.
func withoutPortMapping(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "stub.c")
	require.NoError(t, os.WriteFile(source, []byte(noPortMapping), 0o600))
	const name = "libgupnp-igd-1.0.so.4"
	out, err := exec.Command(program(t, "cc", "gcc", "clang"), "-shared", "-fPIC", "-Wl,-soname,"+name,
		"-o", filepath.Join(dir, name), source).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// ownAddress is an IPv4 address of this machine outside of the loopback, from
// which libnice does not check.
func ownAddress(t *testing.T) string {
	t.Helper()
	own := lab.OwnAddress(t)
	require.NotEmpty(t, own, "this machine has no IPv4 address but the loopback's, and libnice does not check from that one")
	return own
}

// refusedAsExcess is how many packets of mics a server has refused since they came faster than speech.
func refusedAsExcess(t *testing.T, url string) (n int) {
	t.Helper()
	_, metrics := request(t, "GET", url+"/metrics", "", "")
	_, after, found := strings.Cut(metrics, `earshot_media_datagrams_refused_total{reason="excess"} `)
	require.True(t, found)
	_, err := fmt.Sscan(after, &n)
	require.NoError(t, err)
	return n
}

func TestSimpleWHIPClientIsHeard(t *testing.T) {
	t.Parallel()
	client := program(t, "whip-client")
	url := serveOn(t, net.JoinHostPort(ownAddress(t), "0"))
	ear := listen(t, 1, byHTTP(t, url+"/rooms/hall/whep"))

	var log bytes.Buffer
	c := exec.Command(client, "-o", "-u", url+"/rooms/hall/whip", "-A",
		"audiotestsrc is-live=true wave=red-noise ! audioconvert ! audioresample ! queue ! opusenc ! "+
			"rtpopuspay pt=100 ! queue ! application/x-rtp,media=audio,encoding-name=OPUS,payload=100")
	c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+withoutPortMapping(t), "GST_REGISTRY="+filepath.Join(t.TempDir(), "registry"))
	c.Stdout, c.Stderr = &log, &log
	require.NoError(t, c.Start())
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	defer func() {
		_ = c.Process.Kill() // it has ended unless the test failed
	}()

	// On a busy machine the client's queue holds seconds of audio when its connection is there. All of it comes at once,
	// and the server takes no more than two seconds of that.
	heard, missing := ear.wait(t, 100), 0
	for i := 1; i < len(heard); i++ {
		require.Equal(t, heard[0].SSRC, heard[i].SSRC)
		missing += int(heard[i].SequenceNumber - heard[i-1].SequenceNumber - 1)
	}
	assert.LessOrEqual(t, missing, refusedAsExcess(t, url), "packets that did not come, and those of them that came too fast")

	// It ends with a DELETE, after which its seat on stage is free.
	require.NoError(t, c.Process.Signal(os.Interrupt))
	select {
	case err := <-ended:
		assert.NoError(t, err, "%s", &log)
	case <-time.After(patience):
		require.FailNow(t, "the client did not end")
	}
	resp, body := request(t, "GET", url+"/api/rooms/hall", "", "")
	require.Equal(t, 200, resp.StatusCode)
	assert.Contains(t, body, `"stage":[]`)
}
