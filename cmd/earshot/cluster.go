package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/internal/secrets"
	"github.com/earshot-audio/earshot/signaling"
	"github.com/earshot-audio/earshot/signaling/nodes"
	"github.com/earshot-audio/earshot/store"
	"github.com/earshot-audio/earshot/web"
)

const (
	// seatsPerCore is how many people a core is planned for, see docs/performance.md: six
	// tenths of what it carries with one voice.
	seatsPerCore = 3500
	maxSeats     = 1_000_000
	// The names of the secrets that the nodes share.
	sharedSessionKey = "session-key"
	sharedOperator   = "operator-token-sha256"
)

// openShared opens the store of a cluster and makes this server one of it, to be completed
// by [signaling.Server.Join].
func (f serveFlags) openShared(ctx context.Context, cfg *signaling.Config) (*store.Store, error) {
	self := cluster.Node{
		ID: cluster.NewID(), URL: f.nodeURL, PublicURL: f.publicURL, Zone: f.zone, Seats: f.seats, Version: cfg.Version, Started: time.Now().UTC(),
	}
	if self.URL == "" {
		self.URL = f.publicURL
	}
	if self.Seats == 0 {
		self.Seats = seatsPerCore * runtime.GOMAXPROCS(0)
	}
	state, err := store.Open(ctx, store.Config{URL: f.nats, Node: self.ID, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*store.Store, error) {
		_ = state.Close() // err says what went wrong
		return nil, err
	}
	if cfg.OperatorToken == "" {
		if cfg.OperatorDigest, err = f.sharedOperator(ctx, state); err != nil {
			return fail(err)
		}
	}
	key, err := state.Secret(ctx, sharedSessionKey, func() (string, error) { return rand.Text() + rand.Text(), nil })
	if err != nil {
		return fail(err)
	}
	if err := state.RemoveExpiredInvites(ctx, time.Now().Add(-expiredInviteRetention)); err != nil {
		return fail(err)
	}
	cfg.Cluster, err = nodes.New(nodes.Config{NATS: f.nats, Self: self, Store: state, Clock: time.Now, Log: cfg.Log, Metrics: cfg.Registry})
	if err != nil {
		return fail(err)
	}
	cfg.Key, cfg.Store, cfg.Persister, cfg.Page = []byte(key), state, state, web.Handler(cfg.Cluster.SocketOrigins)
	return state, nil
}

// sharedOperator returns the digest of the operator's token. The first node makes the
// token, and keeps it under its --data; the others know the digest.
func (f serveFlags) sharedOperator(ctx context.Context, state *store.Store) ([]byte, error) {
	text, err := state.Secret(ctx, sharedOperator, func() (string, error) {
		token, err := secrets.LoadOrCreate(filepath.Join(f.data, operatorTokenFile))
		sum := sha256.Sum256([]byte(token))
		return hex.EncodeToString(sum[:]), err
	})
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(text)
}

// ownURL is where clients reach a server that only this machine can reach.
func (f serveFlags) ownURL(scheme string, address net.Addr) string {
	return scheme + "://" + strings.Replace(address.String(), "[::]", "[::1]", 1)
}
