package stateserver

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// OwnerBucket holds the lease of the store: the first that a cluster has.
const OwnerBucket = "earshot-owner"

const (
	// bucketTry is how long one attempt to open a bucket may take, and bucketPause how long it is
	// until the next.
	bucketTry   = 2 * time.Second
	bucketPause = 250 * time.Millisecond
)

// OpenBucket opens a bucket of which each peer has a replica, and makes it the first time. It may need several attempts:
// another node may be starting, or the servers choosing who of them leads.
func (p *Peer) OpenBucket(ctx context.Context, js jetstream.JetStream, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	cfg.Replicas = len(p.set.all())
	for {
		kv, err := openReplicated(ctx, js, cfg)
		if err == nil {
			return kv, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(bucketPause):
		}
	}
}

// errNoLeader says that nobody writes to a bucket yet.
var errNoLeader = errors.New("its servers have not chosen who of them leads")

// openReplicated is one attempt. It succeeds when the bucket can be read, and written: one that has
// just been made has no leader yet.
func openReplicated(ctx context.Context, js jetstream.JetStream, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	ctx, cancel := context.WithTimeout(ctx, bucketTry)
	defer cancel()
	kv, err := js.CreateOrUpdateKeyValue(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if _, err := kv.Get(ctx, "none"); err != nil && !errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, err
	}
	stream, err := js.Stream(ctx, "KV_"+cfg.Bucket)
	if err != nil {
		return nil, err
	}
	if led := stream.CachedInfo().Cluster; led == nil || led.Leader == "" {
		return nil, errNoLeader
	}
	return kv, nil
}
