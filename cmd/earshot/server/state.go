package server

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/secrets"
	"github.com/earshot-audio/earshot/signaling"
	"github.com/earshot-audio/earshot/store"
)

// The files under --data that hold secrets, beside [cli.OperatorTokenFile].
const (
	sessionKeyFile  = "session-key"
	certificateFile = "tls-self-signed.pem" // with its key
)

// expiredInviteRetention is how long invites are listed after they have expired.
const expiredInviteRetention = 30 * 24 * time.Hour

// loopback is the addresses that only this machine can reach.
var loopback = []string{"127.0.0.0/8", "::1/128"}

// openState opens the server's store and secrets and puts them into its
// configuration. An open server has a store in memory.
func (f serveFlags) openState(ctx context.Context, cfg *signaling.Config, stdout io.Writer) (io.Closer, error) {
	if f.open {
		cfg.Store = store.Memory()
		return cfg.Store, nil
	}
	if f.cluster {
		return f.openShared(ctx, cfg, stdout)
	}
	// Before the secrets, because its errors explain best what is wrong with a directory.
	state, err := store.Open(ctx, store.Config{Dir: f.data, URL: f.nats, Repair: f.repair, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	fail := func(err error) (io.Closer, error) {
		_ = state.Close() // err says what went wrong
		return nil, err
	}
	if cfg.OperatorToken == "" {
		if cfg.OperatorToken, err = secrets.LoadOrCreate(filepath.Join(f.data, cli.OperatorTokenFile)); err != nil {
			return fail(err)
		}
	}
	key, err := secrets.LoadOrCreate(filepath.Join(f.data, sessionKeyFile))
	if err != nil {
		return fail(err)
	}
	if err := state.RemoveExpiredInvites(ctx, time.Now().Add(-expiredInviteRetention)); err != nil {
		return fail(err)
	}
	cfg.Key, cfg.Store, cfg.Persister, cfg.Rooms = []byte(key), state, state, state.Rooms()
	return state, nil
}

// exempt returns the addresses that are exempt from the rate limits.
func (f serveFlags) exempt() ([]netip.Prefix, error) {
	texts := f.rateLimitExempt
	if f.open && !f.openToNetwork {
		texts = append(texts, loopback...)
	}
	return prefixes("--rate-limit-exempt", texts)
}

// prefixes reads the ranges of addresses of a flag.
func prefixes(flag string, texts []string) (list []netip.Prefix, err error) {
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() {
			return nil, fmt.Errorf("%s %q is not a range of addresses like 127.0.0.0/8", flag, text)
		}
		list = append(list, p)
	}
	return list, nil
}
