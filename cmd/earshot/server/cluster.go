package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/secrets"
	"github.com/earshot-audio/earshot/signaling"
	"github.com/earshot-audio/earshot/signaling/nodes"
	"github.com/earshot-audio/earshot/store"
	"github.com/earshot-audio/earshot/store/stateserver"
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
func (f serveFlags) openShared(ctx context.Context, cfg *signaling.Config, stdout io.Writer) (_ io.Closer, err error) {
	self := cluster.Node{
		ID: cluster.NewID(), URL: f.nodeURL, PublicURL: f.publicURL, Zone: f.zone, Seats: f.seats, Version: cfg.Version, Started: time.Now().UTC(),
	}
	if self.URL == "" {
		self.URL = f.publicURL
	}
	if self.Seats == 0 {
		self.Seats = seatsPerCore * runtime.GOMAXPROCS(0)
	}
	shared := &sharedState{}
	defer func() {
		if err != nil {
			_ = shared.Close() // err says what went wrong
		}
	}()
	if f.peers.given() {
		if shared.peer, err = f.peers.start(ctx, filepath.Join(f.data, peerDir), f.importing, cfg.Log, stdout); err != nil {
			return nil, err
		}
	}
	state, err := store.Open(ctx, store.Config{URL: f.nats, Peer: shared.peer, Node: self.ID, Importing: f.importing, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	shared.store = state
	if f.importing {
		if err := f.importSingle(ctx, state); err != nil {
			return nil, err
		}
	}
	if cfg.OperatorToken == "" {
		if cfg.OperatorDigest, err = f.sharedOperator(ctx, state); err != nil {
			return nil, err
		}
	}
	key, err := state.Secret(ctx, sharedSessionKey, func() (string, error) { return rand.Text() + rand.Text(), nil })
	if err != nil {
		return nil, err
	}
	if err := state.RemoveExpiredInvites(ctx, time.Now().Add(-expiredInviteRetention)); err != nil {
		return nil, err
	}
	part := nodes.Config{NATS: f.nats, Peer: shared.peer, Self: self, Store: state, Clock: time.Now, Log: cfg.Log, Metrics: cfg.Registry}
	if shared.peer != nil {
		if part.Before, err = shared.peer.Succeed(self.ID); err != nil {
			return nil, err
		}
	}
	if cfg.Cluster, err = nodes.New(part); err != nil {
		return nil, err
	}
	cfg.Key, cfg.Store, cfg.Persister, cfg.Page = []byte(key), state, state, web.Handler(cfg.Cluster.SocketOrigins)
	return shared, nil
}

// importSingle begins the cluster with what a single server has kept under --data.
func (f serveFlags) importSingle(ctx context.Context, state *store.Store) error {
	own := map[string]string{}
	for name, file := range map[string]string{sharedSessionKey: sessionKeyFile, sharedOperator: cli.OperatorTokenFile} {
		text, err := secrets.Load(filepath.Join(f.data, file))
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == sharedOperator: // it was given by a flag
			continue
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("--import: no server has kept anything under %s", f.data)
		case err != nil:
			return err
		}
		own[name] = text
	}
	if token, ok := own[sharedOperator]; ok {
		sum := sha256.Sum256([]byte(token))
		own[sharedOperator] = hex.EncodeToString(sum[:])
	}
	if err := state.Import(ctx, f.data, own); err != nil {
		return err
	}
	state.EndImport()
	return nil
}

// sharedState is what a node keeps, together with others.
type sharedState struct {
	peer  *stateserver.Peer // nil: they share a NATS server
	store *store.Store
}

// Close closes it.
func (s *sharedState) Close() (err error) {
	if s.store != nil {
		err = s.store.Close()
	}
	if s.peer != nil {
		err = errors.Join(err, s.peer.Close())
	}
	return err
}

// sharedOperator returns the digest of the operator's token. The first node makes the
// token, and keeps it under its --data; the others know the digest.
func (f serveFlags) sharedOperator(ctx context.Context, state *store.Store) ([]byte, error) {
	path := filepath.Join(f.data, cli.OperatorTokenFile)
	_, err := os.Stat(path)
	had := err == nil
	own := ""
	text, err := state.Secret(ctx, sharedOperator, func() (string, error) {
		token, err := secrets.LoadOrCreate(path)
		sum := sha256.Sum256([]byte(token))
		own = hex.EncodeToString(sum[:])
		return own, err
	})
	if err != nil {
		return nil, err
	}
	if own != "" && own != text && !had { // another node was first, and this token opens nothing
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return hex.DecodeString(text)
}

// ownURL is where clients reach a server that only this machine can reach.
func (f serveFlags) ownURL(scheme string, address net.Addr) string {
	return scheme + "://" + strings.Replace(address.String(), "[::]", "[::1]", 1)
}
