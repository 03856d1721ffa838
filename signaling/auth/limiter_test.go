package auth

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBucketSetAllowsABurstAndThenARate(t *testing.T) {
	now := time.Now()
	b := newBucketSet(Limit{Rate: 2, Burst: 3})
	for range 3 {
		assert.Zero(t, b.take("a", now))
	}
	for range 5 {
		assert.Equal(t, 500*time.Millisecond, b.take("a", now), "a refusal costs nothing")
	}
	assert.Zero(t, b.take("b", now), "another key has its own bucket")
	assert.Zero(t, b.take("a", now.Add(500*time.Millisecond)))
	assert.Positive(t, b.take("a", now.Add(500*time.Millisecond)))
}

func TestBucketSetDropsOnlyUnusedKeys(t *testing.T) {
	now := time.Now()
	b := newBucketSet(Limit{Rate: 1, Burst: 10}) // full again after 10 s
	for n := range 1000 {
		b.take(fmt.Sprint(n), now)
	}
	for range 9 {
		b.take("busy", now)
	}
	// A key that is used all the time keeps its bucket through every rotation.
	for second := range 35 {
		at := now.Add(time.Duration(second+1) * time.Second)
		assert.Zero(t, b.take("busy", at))
		for allowed := true; allowed; {
			allowed = b.take("busy", at) == 0
		}
	}
	assert.Len(t, b.current, 1)
	assert.LessOrEqual(t, len(b.previous), 1)
}

func TestOrigin(t *testing.T) {
	l := NewLimiter(Limits{Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}}.WithDefaults(nil), time.Now)
	for remote, want := range map[string]Origin{
		"192.0.2.1:1":                   "192.0.2.1",
		"192.0.2.1:2":                   "192.0.2.1",
		"[::ffff:192.0.2.1]:3":          "192.0.2.1",
		"[2001:db8::1]:4":               "2001:db8::/64",
		"[2001:db8::2:3:4:5]:6":         "2001:db8::/64",
		"[fe80::1%eth0]:7":              "fe80::/64",
		"10.1.2.3:8":                    "",
		"[::ffff:10.1.2.3]:9":           "",
		"[2001:db8:1:ffff::1]:10":       "",
		"not the address of any socket": "not the address of any socket",
	} {
		assert.Equal(t, want, l.Origin(&http.Request{RemoteAddr: remote}), remote)
	}
}

func TestNoOriginIsExemptByDefault(t *testing.T) {
	l := NewLimiter(Limits{}.WithDefaults(nil), time.Now)
	for _, remote := range []string{"127.0.0.1:1", "[::1]:1"} {
		assert.NotEmpty(t, l.Origin(&http.Request{RemoteAddr: remote}), remote)
	}
}

func TestLimitsRefuseValuesOutOfRange(t *testing.T) {
	for _, bad := range []Limit{{Rate: -1, Burst: 1}, {Rate: 1, Burst: -1}, {Rate: 1}, {Burst: 1}, {Rate: math.NaN(), Burst: 1}} {
		var refusals []string
		Limits{OfferByAccount: bad}.WithDefaults(func(format string, args ...any) {
			refusals = append(refusals, fmt.Sprintf(format, args...))
		})
		require.Len(t, refusals, 1)
		assert.Contains(t, refusals[0], "offers by account")
	}
}
