package cluster

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// bucketTry is how long one attempt to open the bucket of a NATS cluster may take, and bucketPause how
// long it is until the next: while servers choose who of them leads, nobody answers.
const (
	bucketTry   = 2 * time.Second
	bucketPause = 250 * time.Millisecond
)

// openNodes opens the bucket of the nodes' entries, and makes it the first time.
func openNodes(ctx context.Context, js jetstream.JetStream, cfg Config) (jetstream.KeyValue, error) {
	bucket := jetstream.KeyValueConfig{Bucket: nodesBucket, History: 1, TTL: cfg.TTL, Storage: jetstream.FileStorage, Replicas: cfg.Replicas}
	if cfg.Replicas <= 1 {
		return js.CreateOrUpdateKeyValue(ctx, bucket)
	}
	for {
		try, cancel := context.WithTimeout(ctx, bucketTry)
		kv, err := js.CreateOrUpdateKeyValue(try, bucket)
		if err == nil {
			_, err = kv.Status(try) // of the one that leads it
		}
		cancel()
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
