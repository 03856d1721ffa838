package front

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// v2 is a header of version 2: command, family and transport, addresses and ports, and
// what may follow.
func v2(command, family byte, rest string) string {
	return string(proxyproto.SIGV2) + string([]byte{command, family, byte(len(rest) >> 8), byte(len(rest))}) + rest
}

const (
	fromIPv4 = "\xc0\x00\x02\x01\x0a\x00\x00\x01\x12\x67\x01\xbb"
	fromIPv6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x12\x67\x01\xbb"
)

func TestHeaderOfTheProxyProtocolSaysWhoTheClientIs(t *testing.T) {
	for name, row := range map[string]struct {
		header string
		want   string // empty: refused
	}{
		"version 1":                               {"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n", "192.0.2.1:4711"},
		"version 1 of IPv6":                       {"PROXY TCP6 2001:db8::1 fd00::1 4711 443\r\n", "[2001:db8::1]:4711"},
		"IPv4 within IPv6 is IPv4":                {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.1 4711 443\r\n", "192.0.2.1:4711"},
		"version 1 that does not know":            {"PROXY UNKNOWN\r\n", "invalid AddrPort"},
		"version 2":                               {v2(0x21, 0x11, fromIPv4), "192.0.2.1:4711"},
		"version 2 of IPv6":                       {v2(0x21, 0x21, fromIPv6), "[2001:db8::1]:4711"},
		"version 2 with more to say":              {v2(0x21, 0x11, fromIPv4+"\x04\x00\x02ab"), "192.0.2.1:4711"},
		"the proxy's own check":                   {v2(0x20, 0x00, ""), "invalid AddrPort"},
		"none":                                    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""},
		"nothing":                                 {"", ""},
		"TLS":                                     {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", ""},
		"half of it":                              {"PROXY TCP4 192.0.2.1", ""},
		"a line that does not end as it should":   {"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\n", ""},
		"more than there should be":               {"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443 5\r\n", ""},
		"a line that is too long":                 {"PROXY UNKNOWN " + strings.Repeat("f", 120) + "\r\n", ""},
		"another family than it says":             {"PROXY TCP4 2001:db8::1 fd00::1 4711 443\r\n", ""},
		"a zone":                                  {"PROXY TCP6 fe80::1%eth0 fd00::1 4711 443\r\n", ""},
		"a name":                                  {"PROXY TCP4 localhost 10.0.0.1 4711 443\r\n", ""},
		"a port that is none":                     {"PROXY TCP4 192.0.2.1 10.0.0.1 70000 443\r\n", ""},
		"a port with a zero before it":            {"PROXY TCP4 192.0.2.1 10.0.0.1 04711 443\r\n", ""},
		"two spaces":                              {"PROXY  TCP4 192.0.2.1 10.0.0.1 4711 443\r\n", ""},
		"small letters":                           {"proxy tcp4 192.0.2.1 10.0.0.1 4711 443\r\n", ""},
		"version 2 of UDP":                        {v2(0x21, 0x12, fromIPv4), ""},
		"version 2 of a Unix socket":              {v2(0x21, 0x31, strings.Repeat("x", 216)), ""},
		"version 2 with a transport that is none": {v2(0x21, 0x13, fromIPv4), ""},
		"version 2 with a command that is none":   {v2(0x22, 0x11, fromIPv4), ""},
		"version 3":                               {v2(0x31, 0x11, fromIPv4), ""},
		"version 2 that is too short":             {v2(0x21, 0x11, fromIPv4[:8]), ""},
		"version 2 that says nothing":             {v2(0x21, 0x00, ""), ""},
		"version 2 with more than it may":         {v2(0x21, 0x11, fromIPv4+strings.Repeat("x", 5000)), ""},
		"version 2 that announces more than came": {string(proxyproto.SIGV2) + "\x21\x11\xff\xff", ""},
	} {
		got, err := readClient(bufio.NewReaderSize(strings.NewReader(row.header), headerBuffer))
		if row.want == "" {
			assert.Error(t, err, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, row.want, got.String(), name)
	}
}

// A header is read to its end and not further, and the client that it names can be
// written again.
func FuzzProxyHeader(f *testing.F) {
	for _, seed := range []string{"PROXY TCP4 192.0.2.1 10.0.0.1 4711 443\r\n", "PROXY UNKNOWN x\r\n", v2(0x21, 0x11, fromIPv4), v2(0x21, 0x21, fromIPv6+"\x04\x00\x01a"), v2(0x20, 0x00, ""), "GET / HTTP/1.1\r\n\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		const behind = "GET / HTTP/1.1\r\n\r\n"
		in := bytes.NewReader(append(bytes.Clone(header), behind...))
		buffer := bufio.NewReaderSize(in, headerBuffer)
		client, err := readClient(buffer)
		if err != nil {
			assert.False(t, client.IsValid())
			return
		}
		rest, err := io.ReadAll(buffer)
		require.NoError(t, err)
		if len(rest) < len(behind) {
			return // the header has taken what stands behind it as its own
		}
		assert.Equal(t, behind, string(rest[len(rest)-len(behind):]))
		read := len(header) + len(behind) - len(rest)
		assert.LessOrEqual(t, read, 16+4096)
		if !client.IsValid() {
			return
		}
		assert.False(t, client.Addr().Is4In6())
		for _, version := range []byte{1, 2} {
			to := netip.MustParseAddrPort("10.0.0.1:443")
			if client.Addr().Is6() {
				to = netip.MustParseAddrPort("[fd00::1]:443")
			}
			again, err := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(client), net.TCPAddrFromAddrPort(to)).Format()
			require.NoError(t, err)
			got, err := readClient(bufio.NewReader(bytes.NewReader(again)))
			require.NoError(t, err)
			assert.Equal(t, client, got)
		}
	})
}
