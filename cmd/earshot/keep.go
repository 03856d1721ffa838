package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/earshot-audio/earshot/signaling"
	"github.com/earshot-audio/earshot/store"
)

// remembered is how long invites are listed after they have expired.
const remembered = 30 * 24 * time.Hour

// loopback are the addresses that reach this machine alone.
var loopback = []string{"127.0.0.0/8", "::1/128"}

// keep opens what the server keeps, and puts what was kept into its
// configuration. An open server keeps nothing.
func (f serveFlags) keep(ctx context.Context, cfg *signaling.Config) (*store.Store, error) {
	if f.open {
		cfg.Store = store.Memory()
		return cfg.Store, nil
	}
	// Before the secrets, because it says best what is wrong with a directory.
	kept, err := store.Open(ctx, store.Config{Dir: f.data, URL: f.nats, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*store.Store, error) {
		_ = kept.Close() // what went wrong is told
		return nil, err
	}
	if cfg.OperatorToken == "" {
		if cfg.OperatorToken, err = keepSecret(f.data, operatorFile); err != nil {
			return fail(err)
		}
	}
	key, err := keepSecret(f.data, keyFile)
	if err != nil {
		return fail(err)
	}
	if err := kept.RemoveExpiredInvites(ctx, time.Now().Add(-remembered)); err != nil {
		return fail(err)
	}
	cfg.Key, cfg.Store, cfg.Keeper, cfg.Rooms = []byte(key), kept, kept, kept.Rooms()
	return kept, nil
}

// exempt returns the addresses that no rate limit holds for.
func (f serveFlags) exempt() ([]netip.Prefix, error) {
	texts := f.rateLimitExempt
	if f.open && !f.openToNetwork {
		texts = append(texts, loopback...)
	}
	var prefixes []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() {
			return nil, fmt.Errorf("--rate-limit-exempt %q is not a range of addresses like 127.0.0.0/8", text)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}
