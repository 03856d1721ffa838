package endtoend_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the media port is sent and sends is read by whoever sits in between. It
// must not say who talks to whom, in which room.
func TestMediaPacketsRevealNoIdentity(t *testing.T) {
	t.Parallel()
	url := serveClosed(t)
	room, host, tokens := guests(t, url, "speaker", "listener")
	secrets := map[string]string{"the room's id": room, "the room's name": "hall", "the host's token": host}
	in := func(who, token string) *member {
		m := enterAs(t, url, map[string]any{"token": token}, map[string]any{"room": room, "name": "Quxley " + who})
		secrets["the name of "+who] = "Quxley " + who
		secrets["the member id of "+who] = m.id
		secrets["the token of "+who] = token
		secrets["the ticket of "+who] = m.joined["resume"].(map[string]any)["key"].(string)
		return m
	}
	speaker, audience := in("Zebulon", tokens[0]), in("Wilhelmina", tokens[1])
	mic := openNumberedMic(t, speaker.exchange("mic"))
	ear, earSocket := listenRecorded(t, audience.exchange("ear"))
	require.Eventually(t, func() bool { return mic.after(ear.all(), speaker.talker(), time.Time{}) > 50 }, patience, 10*time.Millisecond)
	audience.ask(map[string]any{"type": "leave"})
	speaker.ask(map[string]any{"type": "leave"})

	for name, s := range map[string]*recordingSocket{"the mic": mic.out, "the ear": earSocket} {
		s.mu.Lock()
		s.keep = false
		seen := s.seen
		s.mu.Unlock()
		require.Greater(t, len(seen), 50, name)
		kinds := map[string]int{}
		for _, b := range seen {
			switch {
			case len(b) > 0 && b[0] < 4:
				kinds["STUN"]++
			case len(b) > 0 && b[0] >= 20 && b[0] < 64:
				kinds["DTLS"]++
			case len(b) > 0 && b[0] >= 128:
				kinds["SRTP"]++
			}
			for what, secret := range secrets {
				for _, form := range [][]byte{
					[]byte(secret), []byte(base64.StdEncoding.EncodeToString([]byte(secret)))[:4*(len(secret)/3)], []byte(hex.EncodeToString([]byte(secret))),
				} {
					// A few letters come about by chance in what is encrypted.
					if len(form) > 5 {
						assert.False(t, bytes.Contains(bytes.ToLower(b), bytes.ToLower(form)), "%s is in a packet of %s", what, name)
					}
				}
			}
		}
		for _, kind := range []string{"STUN", "DTLS", "SRTP"} {
			assert.NotZero(t, kinds[kind], "%s has packets of %s", name, kind)
		}
	}
}
