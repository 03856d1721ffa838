package rtc

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	browser "github.com/earshot-audio/earshot/internal/chromium"
	"github.com/earshot-audio/earshot/internal/udpproxy"
)

// audience is pages of a real Chromium that have ears in a room, over a proxy.
type audience struct {
	*udpproxy.Proxy
	t    *testing.T
	room *testRoom
	url  string
	ears chan *testEar
}

func newAudience(t *testing.T, r *testRoom) *audience {
	t.Helper()
	a := &audience{Proxy: startProxy(t, r.engine), t: t, room: r, ears: make(chan *testEar, 1)}
	a.url = browser.ServeListeningPage(t, func(offer string) (string, error) {
		ear, err := r.OpenEar(context.Background(), 0, offer)
		if err != nil {
			return "", err
		}
		a.ears <- ear
		return viaProxy(a.Proxy, ear.Answer()), nil
	})
	return a
}

// listens opens a page that listens, and returns once the room is heard there.
func (a *audience) listens(tab context.Context, s *speaker) *testEar {
	a.t.Helper()
	browser.Open(a.t, tab, a.url)
	browser.Eval[string](a.t, tab, "listen()")
	ear := <-a.ears
	eventually(a.t, func() bool { return a.room.Stats().Ears == 1 }, "the page's ear is subscribed")
	for range 100 {
		s.say([]byte{0xf8, 0xff, 0xfe}, 30) // 20 ms of silence
		time.Sleep(2 * time.Millisecond)
	}
	heard := browser.Eval[string](a.t, tab, "hear(100)")
	assert.Equal(a.t, "100 0 SRTP_AEAD_AES_128_GCM TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 FEFD", heard,
		"each packet, by the profile that the server likes best, over DTLS 1.2")
	return ear
}

// hellos counts the datagrams that a ClientHello comes in, and swaps the two of
// one that is split.
type hellos struct {
	swap bool

	mu      sync.Mutex
	parts   map[int]bool // the offsets of the fragments that came
	held    []byte
	swapped bool
}

const handshakeRecord, clientHello = 22, 1

// pass is the proxy's filter towards the engine.
func (h *hellos) pass(_ netip.AddrPort, b []byte) [][]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b[0] != handshakeRecord || len(b) < 25 || b[13] != clientHello {
		return [][]byte{b}
	}
	// RFC 6347, section 4.2.2: type, length, sequence, offset and length of the
	// fragment.
	offset := int(b[19])<<16 | int(b[20])<<8 | int(b[21])
	h.parts[offset] = true
	switch {
	case !h.swap:
	case offset == 0:
		h.held = b
		return nil
	case h.held != nil:
		first := h.held
		h.held, h.swapped = nil, true
		return [][]byte{b, first}
	}
	return [][]byte{b}
}

func TestChromiumCannotTellALeanEarFromAFullOne(t *testing.T) {
	chromium := browser.Start(t)
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 1)
		s := newSpeaker(t, r, 1, withLevel)
		a := newAudience(t, r)

		t.Run("a closed page frees its seat at once, by one datagram", func(t *testing.T) {
			tab, leave := browser.NewTab(t, chromium)
			ear := a.listens(tab, s)
			eventually(t, func() bool { return ear.Stats().Reports > 0 }, "its receiver reports are counted")
			a.Filter(onlyAlerts, udpproxy.Drop)
			leave()
			assert.ErrorIs(t, waitDone(t, ear), ErrHangup)
			assert.Zero(t, r.Stats().Ears)
		})
		t.Run("a kick closes the page's connection at once, by one datagram", func(t *testing.T) {
			a.Filter(nil, nil)
			ear := a.listens(chromium, s)
			a.Filter(udpproxy.Drop, onlyAlerts)
			require.NoError(t, ear.Close())
			browser.Eval[string](t, chromium, "reach('closed')")
			assert.Zero(t, r.Stats().Ears)
		})
		for _, row := range []struct {
			name string
			swap bool
		}{
			{"a hello that is split over two datagrams is understood", false},
			{"and is when the second half comes first", true},
		} {
			t.Run(row.name, func(t *testing.T) {
				h := &hellos{swap: row.swap, parts: map[int]bool{}}
				a.Filter(h.pass, nil)
				require.NoError(t, a.listens(chromium, s).Close())
				h.mu.Lock()
				defer h.mu.Unlock()
				assert.Greater(t, len(h.parts), 1, "it did come in two datagrams")
				assert.Equal(t, row.swap, h.swapped, "and in this order")
			})
		}
	})
}
