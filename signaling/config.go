package signaling

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-audio/earshot/internal/language"
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/front"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/nodes"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/signaling/ws"
	"github.com/earshot-audio/earshot/store"
)

// Config is what a server is made of. Zero values stand for the defaults given
// here; anything out of range is refused by [New].
type Config struct {
	// Open lets everybody in without a token, in the role they ask for, and lets
	// rooms spring up on first use. For demonstrations and load tests.
	Open bool
	// LoopbackOnly says that only this machine can reach the server. An open one then
	// refuses requests under another name than this machine's or PublicURL's, and those of
	// pages from elsewhere.
	LoopbackOnly bool
	// OperatorToken is the operator's secret, at least 16 bytes. It is required unless
	// Open is set; an open server without one has no operator.
	OperatorToken string
	// OperatorDigest is the SHA-256 of that secret, for a server that is not told the
	// secret itself.
	OperatorDigest []byte
	// Key signs session tokens (HMAC-SHA-256), at least 32 bytes. Default: a random
	// key, with which tokens end with the process.
	Key []byte
	// Media carries the audio. It is required. The server opens rooms on it and closes
	// them. The caller closes the engine, after Shutdown.
	Media *rtc.Engine
	// Log is where the server writes its log. Default: nowhere.
	Log *slog.Logger
	// Registry is where the server's metrics are registered, and what /metrics
	// shows. Default: one of its own, with the Go and process collectors.
	Registry *prometheus.Registry
	// Page serves "/" and below "/app/", and tells browsers of other paths that there is
	// nothing; it may replace the
	// security headers that the server sets. Default: a line of text that says what this is.
	Page http.Handler
	// Languages has the texts of what the server itself writes for people: previews of links,
	// calendar files. Default: none, and texts are shown by their keys.
	Languages *language.Languages
	// Version of the software, shown to clients. Default "dev".
	Version string

	// Slots is how many voices a room passes on at once, if its creator does not
	// say; 1 to 8, default 3.
	Slots int
	// Stage is how many people may be on a room's stage; 1 to 100, default 20.
	Stage int
	// Capacity is the audience seats of a room's hall, if its creator does not say; 1 to
	// 100,000, default 10,000.
	Capacity int
	// Halls is how many halls of that capacity a room may have, if its creator does
	// not say: who finds the first full sits in the next; 1 (no overflow) to 100,
	// default 10.
	Halls int
	// MaxRooms is how many rooms there may be at once; default 10,000.
	MaxRooms int
	// MaxRoomsByAccount is how many of them a member may own at once; default 20.
	MaxRoomsByAccount int
	// MaxMembers is how many members the club may have; default 100,000.
	MaxMembers int
	// EmptyAfter is how long a room of an open server stays after the last person
	// has left; default 60 s.
	EmptyAfter time.Duration
	// ResumeWindow is for how long the seat, role and media of somebody are held whose
	// WebSocket is lost; default [room.DefaultReconnectWindow].
	ResumeWindow time.Duration
	// Grace is for how long a room waits for its last host, whose WebSocket is
	// lost, before somebody else on stage becomes host; default [room.DefaultGrace].
	Grace time.Duration
	// StageWait is how long somebody may take to answer an invitation to the stage;
	// default 60 s.
	StageWait time.Duration
	// TokenTTL is how long a session token is valid; default 15 min. RefreshTTL is
	// how long it can be refreshed, counted from the last time; default 30 days.
	TokenTTL, RefreshTTL time.Duration
	// Invites is how many people a new member may invite to the club; default 2.
	Invites int
	// Limits are the rate limits of clients.
	Limits auth.Limits
	// TrustedProxies are the reverse proxies whose Forwarded or X-Forwarded-For says who
	// the client is. Default: none, and the headers mean nothing.
	TrustedProxies front.Proxies
	// ProxyProtocol makes their connections begin with a header of the PROXY protocol. It
	// is about connections that come by [Server.Listen].
	ProxyProtocol bool
	// MaxConnections is how many HTTP connections and WebSockets there may be at once, of
	// those that come by [Server.Listen]. Default: what the limit of open files allows, and
	// 65,536 at most.
	MaxConnections int
	// PublicURL is the URL by which clients reach the server, with scheme and host.
	// Default: what each request says.
	PublicURL *url.URL

	// RequestWait is how long an HTTP request may take to come in, its body
	// included; default 10 s. See [Server.HTTP].
	RequestWait time.Duration
	// SendQueue is how many messages may wait for one client before it is
	// disconnected as too slow; default 64.
	SendQueue int
	// MaxMalformed is how many messages in a row may be malformed before the
	// session is closed; default 20.
	MaxMalformed int
	// HelloWait is how long a client may take to say hello; default 10 s.
	HelloWait time.Duration
	// PingEvery is how often the server pings; default 15 s, less than PongWait.
	PingEvery time.Duration
	// PongWait is how long a client may be silent, pongs included; default 40 s.
	PongWait time.Duration
	// WriteWait is how long the writing of one message may take; default 10 s.
	WriteWait time.Duration
	// CloseWait is how long the server waits for the client's side of the closing
	// handshake, and for a slow client to take its goodbye; default 1 s.
	CloseWait time.Duration
	// OfferWait is how long the answer to an offer may take; default 10 s.
	OfferWait time.Duration
	// PresenceEvery is the least time between two presence messages of a room. It is a
	// millisecond for each person in it, if that is more. Default 250 ms.
	PresenceEvery time.Duration
	// TalkersEvery is the least time between two talkers messages of a room;
	// default 100 ms.
	TalkersEvery time.Duration

	// Store holds invites, accounts and the audit log. Default: one in memory.
	// The caller closes it, after Shutdown.
	Store *store.Store
	// Persister saves the rooms that must outlive the process, and Rooms is what it
	// has saved: the rooms that New makes again. Without one they end with the
	// process.
	Persister liveroom.Persister
	Rooms     []room.State

	// Cluster is the server's part in a cluster, which shares its Store; nil: it is alone.
	// New completes it and Join starts it.
	Cluster *nodes.Nodes

	// Clock returns the time. Default time.Now.
	Clock func() time.Time
}

// Limits of the configuration, beside those of [wire] that clients need to know.
const (
	minOperatorToken = 16
	minKey           = 32
)

// withDefaults returns the configuration with its zero values filled in, or
// what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if c.Media == nil {
		refuse("no media engine was given")
	}
	if c.OperatorToken == "" && c.OperatorDigest == nil && !c.Open {
		refuse("no operator token was given: without one nobody can create a room")
	}
	if c.OperatorToken != "" && len(c.OperatorToken) < minOperatorToken {
		refuse("the operator token has %d bytes: give it at least %d", len(c.OperatorToken), minOperatorToken)
	}
	switch {
	case len(c.Key) == 0:
		c.Key = make([]byte, minKey)
		// crypto/rand.Read never fails (it ends the program if it would).
		_, _ = rand.Read(c.Key)
	case len(c.Key) < minKey:
		refuse("the key for session tokens has %d bytes: give it at least %d", len(c.Key), minKey)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	if c.Store == nil {
		c.Store = store.Memory()
	}

	for _, n := range []struct {
		name          string
		value         *int
		standard, max int
	}{
		{"slots", &c.Slots, wire.DefaultSlots, wire.MaxSlots},
		{"stage", &c.Stage, wire.DefaultStage, wire.MaxStage},
		{"capacity", &c.Capacity, wire.DefaultCapacity, wire.MaxCapacity},
		{"halls", &c.Halls, 10, wire.MaxHalls},
		{"most rooms", &c.MaxRooms, wire.MaxRooms, 1_000_000},
		{"most rooms of a member", &c.MaxRoomsByAccount, wire.MaxRoomsByAccount, 1_000_000},
		{"most members", &c.MaxMembers, wire.MaxMembers, 10_000_000},
		{"invites of a new member", &c.Invites, 2, 1000},
		{"send queue", &c.SendQueue, 64, 65_536},
		{"malformed messages in a row", &c.MaxMalformed, 20, 1_000_000},
	} {
		if *n.value == 0 {
			*n.value = n.standard
		}
		if *n.value < 1 || *n.value > n.max {
			refuse("%s is %d: must be from 1 to %d", n.name, *n.value, n.max)
		}
	}
	for _, d := range []struct {
		name     string
		value    *time.Duration
		standard time.Duration
	}{
		{"time until an empty room closes", &c.EmptyAfter, time.Minute},
		{"window in which a session can be resumed", &c.ResumeWindow, room.DefaultReconnectWindow},
		{"time of grace for a room without a host", &c.Grace, room.DefaultGrace},
		{"wait for an answer to an invitation to the stage", &c.StageWait, time.Minute},
		{"lifetime of session tokens", &c.TokenTTL, 15 * time.Minute},
		{"time in which session tokens can be refreshed", &c.RefreshTTL, 30 * 24 * time.Hour},
		{"wait for a request", &c.RequestWait, 10 * time.Second},
		{"wait for hello", &c.HelloWait, 10 * time.Second},
		{"ping interval", &c.PingEvery, 15 * time.Second},
		{"wait for a pong", &c.PongWait, 40 * time.Second},
		{"wait for a write", &c.WriteWait, 10 * time.Second},
		{"wait for a close", &c.CloseWait, time.Second},
		{"wait for an answer", &c.OfferWait, 10 * time.Second},
		{"presence interval", &c.PresenceEvery, 250 * time.Millisecond},
		{"talkers interval", &c.TalkersEvery, 100 * time.Millisecond},
	} {
		if *d.value == 0 {
			*d.value = d.standard
		}
		if *d.value < 0 {
			refuse("%s is %s: must be positive", d.name, *d.value)
		}
	}
	c.Limits = c.Limits.WithDefaults(refuse)
	var err error
	if c.MaxConnections, err = front.Limit(c.MaxConnections); err != nil {
		refuse("%w", err)
	}
	if c.ProxyProtocol && len(c.TrustedProxies) == 0 {
		refuse("the PROXY protocol is for trusted proxies, and none was given")
	}
	if c.PingEvery >= c.PongWait {
		refuse("the ping interval %s must be shorter than the wait for a pong %s", c.PingEvery, c.PongWait)
	}
	if err := errors.Join(errs...); err != nil {
		return Config{}, fmt.Errorf("signaling: %w", err)
	}
	return c, nil
}

// rooms returns the configuration of the live rooms.
func (c Config) rooms() liveroom.Config {
	var cluster liveroom.Cluster // nil, and not an interface with a nil in it
	if c.Cluster != nil {
		cluster = c.Cluster
	}
	return liveroom.Config{
		Cluster: cluster,
		Open:    c.Open, EmptyAfter: c.EmptyAfter, Media: c.Media, Key: c.Key,
		Slots: c.Slots, Capacity: c.Capacity, Halls: c.Halls, Stage: c.Stage, MaxRooms: c.MaxRooms, MaxRoomsByAccount: c.MaxRoomsByAccount,
		ResumeWindow: c.ResumeWindow, Grace: c.Grace, StageWait: c.StageWait, OfferWait: c.OfferWait,
		PresenceEvery: c.PresenceEvery, TalkersEvery: c.TalkersEvery,
		Store: c.Store, Persister: c.Persister, Clock: c.Clock, Log: c.Log, Metrics: c.Registry,
	}
}

// connections returns the configuration of the WebSocket connections.
func (c Config) connections(metrics *ws.Metrics) ws.Config {
	var checkOrigin func(*http.Request) bool
	if c.Cluster != nil {
		checkOrigin = c.fromOwnPage
	}
	return ws.Config{
		CheckOrigin: checkOrigin,
		SendQueue:   c.SendQueue, HelloWait: c.HelloWait, PingEvery: c.PingEvery, PongWait: c.PongWait,
		WriteWait: c.WriteWait, CloseWait: c.CloseWait, Log: c.Log, Metrics: metrics,
	}
}

// fromOwnPage reports whether a request comes from no page, from one of this server, or
// from one of another node, which sends people here.
func (c Config) fromOwnPage(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	u, err := url.Parse(origin)
	return origin == "" || err == nil && strings.EqualFold(u.Host, r.Host) || c.Cluster.OwnOrigin(origin)
}
