package liveroom

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// eventually is how long tests wait for what must happen, and often how often they
// look.
const eventually, often = 30 * time.Second, 2 * time.Millisecond

var testKey = []byte("0123456789abcdef0123456789abcdef")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTestRegistry returns the rooms of an open server, with real media.
func newTestRegistry(t *testing.T) *Registry { return newTestRegistryIn(t, nil) }

// newTestRegistryIn makes the registry of a server of a cluster; nil: of one by itself.
func newTestRegistryIn(t *testing.T, cluster Cluster) *Registry {
	t.Helper()
	engine, err := rtc.New(rtc.Config{Media: "127.0.0.1:0"})
	require.NoError(t, err)
	r, err := NewRegistry(Config{
		Open: true, EmptyAfter: time.Minute, Media: engine, Key: testKey,
		Slots: 3, Capacity: 100, Halls: 1, Stage: 20, MaxRooms: 100, MaxRoomsByAccount: 100,
		ResumeWindow: time.Minute, Grace: time.Minute, StageWait: time.Minute, OfferWait: time.Minute,
		PresenceEvery: time.Millisecond, TalkersEvery: time.Millisecond,
		Store: store.Memory(), Clock: time.Now, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Cluster: cluster,
	}, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), eventually)
		defer cancel()
		assert.NoError(t, r.Shutdown(ctx))
		assert.NoError(t, engine.Close())
	})
	return r
}

// discardConnection is a WebSocket that nobody reads.
type discardConnection struct{}

func (discardConnection) Send(*wire.EncodedMessage)      {}
func (discardConnection) Finish(wire.GoodbyeReason) bool { return true }

var lastID atomic.Int64

func newID() room.MemberID { return room.MemberID(fmt.Sprint("m", lastID.Add(1))) }

// newOffer returns an offer of a mic or an ear.
func newOffer(t *testing.T, media wire.Media) string {
	t.Helper()
	engine := &webrtc.MediaEngine{}
	require.NoError(t, engine.RegisterDefaultCodecs())
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(engine)).NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	defer func() { assert.NoError(t, pc.GracefulClose()) }()
	direction := webrtc.RTPTransceiverDirectionRecvonly
	if media == wire.MediaMic {
		direction = webrtc.RTPTransceiverDirectionSendonly
	}
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: direction})
	require.NoError(t, err)
	offer, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	return offer.SDP
}

// Opening a session takes a while, and the participant may have left when it is
// done: whichever comes first, nothing may be left open.
func TestOpenRacesWithLeave(t *testing.T) {
	r := newTestRegistry(t)
	offers := map[wire.Media]string{}
	for _, media := range []wire.Media{wire.MediaEar, wire.MediaMic} {
		offers[media] = newOffer(t, media)
	}
	for name, out := range map[string]func(l *LiveRoom, p *Participant) error{
		"leaves":  func(l *LiveRoom, p *Participant) error { return l.Membership.Leave(p, nil) },
		"is lost": func(l *LiveRoom, p *Participant) error { return l.Membership.Lost(p) },
		"is removed": func(l *LiveRoom, p *Participant) error {
			return l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
				return rules.Remove(room.Operator, p.ID, now)
			}, nil)
		},
		"is demoted": func(l *LiveRoom, p *Participant) error {
			return l.Change(func(rules *room.Room, now time.Time) ([]room.Event, error) {
				return rules.Demote(room.Operator, p.ID, now)
			}, nil)
		},
		"room ends": func(l *LiveRoom, _ *Participant) error { return l.End(room.Operator, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			// The wait grows past the time that opening takes.
			for wait := time.Duration(0); wait < 6*time.Millisecond; wait += 300 * time.Microsecond {
				for media, offer := range offers {
					p := &Participant{ID: newID(), mediaOnly: wire.MediaMic}
					l, _, err := r.Join("a", p, room.JoinRequest{Name: "Bo", Role: room.Speaker}, "whip", nil)
					require.NoError(t, err)
					var session rtc.Session
					var opening sync.WaitGroup
					opening.Go(func() { session, _ = l.Media.Open(t.Context(), p, media, Offer{SDP: offer}, nil) })
					time.Sleep(wait)
					require.NoError(t, out(l, p))
					opening.Wait()
					if name == "is demoted" && media == wire.MediaEar {
						// An ear stays open through a demotion.
						require.NoError(t, l.Membership.Leave(p, nil))
					}
					if session != nil {
						select {
						case <-session.Done():
						case <-time.After(eventually):
							require.Failf(t, "left open", "%s after %s", media, wait)
						}
					}
				}
			}
		})
	}
}

// The check that the tests of package signaling rely on finds what it is for.
func TestMismatches(t *testing.T) {
	for name, spoil := range map[string]func(l *LiveRoom, p *Participant){
		"media of nobody":                 func(l *LiveRoom, p *Participant) { delete(l.Media.byID, p.mic.ID()) },
		"media of somebody who is out":    func(_ *LiveRoom, p *Participant) { p.joined = false },
		"somebody who is not in the room": func(l *LiveRoom, p *Participant) { delete(l.roster.participants, p.ID) },
		"a mic in the audience":           func(_ *LiveRoom, p *Participant) { p.onStage = false },
		"a mute that does not hold": func(l *LiveRoom, p *Participant) {
			_, err := l.rules.Mute(p.ID, p.ID, time.Now())
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRegistry(t)
			p := NewParticipant(string(newID()), room.Identity{}, discardConnection{})
			l, _, err := r.Join("a", p, room.JoinRequest{Name: "Ada", Role: room.Speaker}, "ws", nil)
			require.NoError(t, err)
			_, err = l.Media.Open(t.Context(), p, wire.MediaMic, Offer{SDP: newOffer(t, wire.MediaMic)}, nil)
			require.NoError(t, err)
			require.Zero(t, l.Mismatches())
			l.mu.Lock()
			was, mic := *p, p.mic.ID()
			spoil(l, p)
			l.mu.Unlock()
			assert.NotZero(t, l.Mismatches())
			// No change was noted: one of these checks looks all the same.
			for range maxSkips + 1 {
				r.check()
			}
			assert.NotZero(t, testutil.ToFloat64(r.metrics.mismatches))
			l.mu.Lock()
			*p = was
			l.roster.participants[p.ID], l.Media.byID[mic] = p, p
			l.mu.Unlock()
		})
	}
}

// FuzzTicket checks that a key resumes its own member of its own room, and nobody
// else anywhere.
func FuzzTicket(f *testing.F) {
	right := wire.Resume{Room: "lobby", Member: "m1", Key: resumeKey(testKey, "lobby", "m1")}
	f.Add(right.Room, right.Member, right.Key)
	f.Add("lobbym", "1", right.Key)
	f.Add("lobby", "m1", right.Key[1:])
	f.Add("lobby", "m1", "")
	f.Fuzz(func(t *testing.T, room, member, key string) {
		m := wire.Resume{Room: room, Member: member, Key: key}
		if key == "" || wire.Validate(m) != nil {
			return
		}
		if validResumeKey(testKey, m) {
			require.Equal(t, right, m, "no other key is known here")
		}
		m.Key = right.Key
		require.Equal(t, m == right, validResumeKey(testKey, m))
	})
}
