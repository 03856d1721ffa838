package rtc

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
)

const testSection = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"

const testFragment = "a=ice-ufrag:abcd\r\na=ice-pwd:secretsecretsecretsecret\r\n" + testSection +
	"a=candidate:1387637174 1 UDP 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n" +
	"a=candidate:3471623853 1 udp 2122194687 0a1b2c3d-aaaa-bbbb-cccc-000000000000.local 61765 typ host\r\n" +
	"a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\na=end-of-candidates\r\n"

// fragmentSender is who sent the fragments.
var fragmentSender = sdp.Credentials{Ufrag: "abcd", Pwd: "secretsecretsecretsecret"}

func TestCheckFragment(t *testing.T) {
	for _, row := range []struct {
		name, fragment string
		want           error
	}{
		{"one as a browser sends it", testFragment, nil},
		{"an empty one", "", nil},
		{"one without line ends of two characters", strings.ReplaceAll(testFragment, "\r", ""), nil},
		{"another user name fragment is a restart", strings.Replace(testFragment, "abcd", "other", 1), ErrRestart},
		{"so is another password", strings.Replace(testFragment, "secretsecretsecretsecret", "othersothersothersothers", 1), ErrRestart},
		{"prose", "hello", ErrBadFragment},
		{"a candidate that breaks off", testSection + "a=candidate:1 1 udp", ErrBadFragment},
		{"a candidate that belongs to no section", "a=candidate:1 1 udp 1 not-an-address 1 typ host", ErrBadFragment},
		{"one too long", strings.Repeat("a=x\n", sdp.MaxFragment), ErrBadFragment},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := checkFragment(row.fragment, fragmentSender)
			if row.want == nil {
				assert.NoError(t, err)
				return
			}
			assert.ErrorIs(t, err, row.want)
		})
	}
}

func FuzzFragment(f *testing.F) {
	f.Add(testFragment)
	f.Add(testSection + "a=candidate:1 1 udp 1 fe80::1%eth0 1 typ srflx raddr 0.0.0.0 rport 0")
	f.Add("a=ice-ufrag:other")
	f.Fuzz(func(t *testing.T, fragment string) {
		err := checkFragment(fragment, fragmentSender)
		if err != nil {
			require.True(t, errors.Is(err, ErrBadFragment) || errors.Is(err, ErrRestart), "%v", err)
			return
		}
		require.LessOrEqual(t, len(fragment), sdp.MaxFragment)
		// What passes goes on passing, line ends aside.
		require.NoError(t, checkFragment(strings.ReplaceAll(fragment, "\r\n", "\n"), fragmentSender))
	})
}
