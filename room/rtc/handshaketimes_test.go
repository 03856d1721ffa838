package rtc

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHandshakeTimesBelongToTheCurrentClient(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.1:5")
	other := netip.MustParseAddrPort("192.0.2.1:6")
	start := time.Unix(1_000_000, 0)
	second := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	finished := []byte{recordChangeCipherSpec}

	var f handshakeTimes
	f.observe(finished, at, second(1))
	f.observe([]byte{22}, at, second(2)) // a handshake record is no last flight
	f.observe(finished, at, second(3))   // sent again
	f.observe(finished, at, second(10))
	for _, row := range []struct {
		name  string
		to    netip.AddrPort
		since time.Time
		want  time.Time
	}{
		{"a flight that was sent again counts from the first time", at, second(0), second(1)},
		{"what went to whoever had the address before does not count", at, second(5), second(10)},
		{"a flight at the very moment counts", at, second(10), second(10)},
		{"an address without a flight since then is not known", at, second(11), time.Time{}},
		{"an address without any flight is not known", other, second(0), time.Time{}},
	} {
		t.Run(row.name, func(t *testing.T) { assert.Equal(t, row.want, f.find(row.to, row.since)) })
	}
}
