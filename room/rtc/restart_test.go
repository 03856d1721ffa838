package rtc

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/sdp"
)

// restart restarts ICE as a client of pion/webrtc does, by the fragment of its offer, and
// returns its answer to the server's: that of before with the new credentials.
func (c *client) restart(s Session, answer string) {
	c.t.Helper()
	gathered := webrtc.GatheringCompletePromise(c.pc)
	o, err := c.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	require.NoError(c.t, err)
	require.NoError(c.t, c.pc.SetLocalDescription(o))
	<-gathered
	fragment, err := s.Restart(sdp.LastFragment(c.pc.LocalDescription().SDP))
	require.NoError(c.t, err)
	f, err := sdp.ParseFragment(fragment)
	require.NoError(c.t, err)
	before, err := sdp.Parse(answer)
	require.NoError(c.t, err)
	assert.NotEqual(c.t, before.ICE(), f.ICE)
	assert.Equal(c.t, sdp.CandidateLines(answer)[:1], sdp.CandidateLines(fragment)[:1], "the server is where it was")
	c.accept(strings.NewReplacer(before.ICE().Ufrag, f.ICE.Ufrag, before.ICE().Pwd, f.ICE.Pwd).Replace(answer))
}

// TestRestartICE has a speaker and a listener restart ICE, more than once: the speaker is
// heard, the listener hears, with the numbers of the packets running on.
func TestRestartICE(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		s := newSpeaker(t, r, 1, withLevel)
		l := openEar(t, r, 1, 0)
		l.waitConnected()
		micAnswer, earAnswer := s.mic.Answer(), l.ear.Answer()
		n := 0
		hear := func() {
			t.Helper()
			first := n
			// Pion's clients begin with other sockets: frames are lost until they nominate.
			require.Eventually(t, func() bool {
				n++
				s.say([]byte(fmt.Sprint(n)), 30)
				heard := l.payloads()
				return len(heard) > 0 && slices.ContainsFunc(heard, func(p string) bool {
					number, err := strconv.Atoi(p)
					return err == nil && number > first
				})
			}, patience, 20*time.Millisecond, "the listener hears")
		}
		hear()
		for range 2 {
			s.restart(s.mic, micAnswer)
			hear()
			l.restart(l.ear, earAnswer)
			hear()
		}
		assert.Nil(t, l.ear.Reason())
		assert.Nil(t, s.mic.Reason())
		assert.Equal(t, 1, r.Stats().Ears)
		assert.Equal(t, 1, r.Stats().Mics)
		packets := l.first()
		for i, p := range packets[1:] {
			assert.Equal(t, packets[0].SSRC, p.SSRC)
			assert.Positive(t, int16(p.SequenceNumber-packets[i].SequenceNumber))
		}
		require.NoError(t, l.ear.Close())
		require.NoError(t, s.mic.Close())
		assert.Zero(t, r.engine.lite.Stats().Peers)
	})
}

// TestRestartRefusals: what is refused leaves the session as it is.
func TestRestartRefusals(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		ear, err := r.OpenEar(context.Background(), 0, chromium(t, "ear3"))
		require.NoError(t, err)
		before := ear.ICE()
		own := "a=ice-ufrag:" + before.Ufrag + "\r\na=ice-pwd:" + before.Pwd + "\r\n"
		for _, bad := range []string{"", "hello", own + testSection, testSection, "a=ice-ufrag:abcd\r\na=ice-pwd:secretsecretsecretsecret\r\n"} {
			_, err := ear.Restart(bad)
			assert.ErrorIs(t, err, ErrBadFragment, bad)
		}
		assert.Equal(t, before, ear.ICE())
		answer, err := ear.Restart(testFragment)
		require.NoError(t, err)
		assert.Equal(t, fragmentSender, ear.ICE())
		assert.Contains(t, answer, testSection+"a=candidate:", "the section that was named")
		assert.NoError(t, ear.AddCandidate(testFragment))
		assert.ErrorIs(t, ear.AddCandidate(own), ErrRestart, "the first ICE session is over")
		require.NoError(t, ear.Close())
		_, err = ear.Restart(own + testSection)
		assert.ErrorIs(t, err, ErrClosed)
	})
}
