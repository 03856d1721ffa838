package rtc

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// metronome lets a speaker talk on and remembers when each frame set out.
type metronome struct {
	mu   sync.Mutex
	sent []time.Time
	stop chan struct{}
	done chan struct{}
}

func startMetronome(s *speaker, every time.Duration) *metronome {
	m := &metronome{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(m.done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-m.stop:
				return
			case <-ticker.C:
			}
			m.mu.Lock()
			number := len(m.sent)
			m.sent = append(m.sent, time.Now())
			m.mu.Unlock()
			s.say(binary.BigEndian.AppendUint32(nil, uint32(number)), 30)
		}
	}()
	return m
}

// after is the number of the first frame that set out after a moment.
func (m *metronome) after(moment time.Time) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, at := range m.sent {
		if at.After(moment) {
			return i
		}
	}
	return len(m.sent)
}

func (m *metronome) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sent)
}

// Every listener who joins a running talk hears each frame that set out after
// their own DTLS was done, and in order.
func TestEarJoiningATalkMissesNoFrame(t *testing.T) {
	forEachEarKind(t, func(t *testing.T, ears earKind) {
		r := newTestRoom(t, ears, Config{}, 3)
		s := newSpeaker(t, r, 1, withLevel)
		m := startMetronome(s, 2*time.Millisecond)
		for range 25 {
			l := newListener(t)
			_, err := l.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
				webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
			require.NoError(t, err)
			up := make(chan time.Time, 1)
			l.pc.SCTP().Transport().OnStateChange(func(state webrtc.DTLSTransportState) {
				if state == webrtc.DTLSTransportStateConnected {
					up <- time.Now()
				}
			})
			ear, err := r.OpenEar(context.Background(), 0, l.offer())
			require.NoError(t, err)
			l.accept(ear.Answer())
			var ready time.Time
			select {
			case ready = <-up:
			case <-time.After(patience):
				require.FailNow(t, "the client did not connect")
			}
			eventually(t, func() bool { return m.after(ready) < m.count()-10 }, "ten frames later")
			last := m.count() - 1
			heard := func() []int {
				var numbers []int
				for _, p := range l.first() {
					numbers = append(numbers, int(binary.BigEndian.Uint32(p.Payload)))
				}
				return numbers
			}
			eventually(t, func() bool { h := heard(); return len(h) > 0 && h[len(h)-1] >= last }, "it hears the last")
			got := heard()
			first := m.after(ready)
			assert.LessOrEqual(t, got[0], first, "frame %d set out after DTLS was done, the first heard is %d", first, got[0])
			for i, n := range got {
				require.Equal(t, got[0]+i, n, "frames come one after the other")
			}
			require.NoError(t, ear.Close())
			require.NoError(t, l.pc.GracefulClose())
		}
		close(m.stop)
		<-m.done
	})
}
