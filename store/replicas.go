package store

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/earshot-audio/earshot/store/kv"
)

// leaderElected is what NATS servers tell when one of them has become the leader of a stream.
// The one that told what is written to it may be gone.
const leaderElected = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.*"

// openBucket opens a bucket, and makes it the first time.
func (s *Store) openBucket(ctx context.Context, js jetstream.JetStream, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	if s.peer == nil {
		return js.CreateOrUpdateKeyValue(ctx, cfg)
	}
	return s.peer.OpenBucket(ctx, js, cfg)
}

// sharedBucket is a bucket that the servers of a cluster write to. An audit entry waits until there
// is a server that takes it: nobody is told that it was not written.
func (s *Store) sharedBucket(name string, held kv.JetStream) kv.Bucket {
	var replicas *nats.Conn
	if s.peer != nil {
		replicas = s.conn
	}
	return kv.NewShared(held, s.lease, replicas, name == auditBucket)
}

// WatchAnew reads what other servers write anew: the one that told of it may be gone. Without
// replicas there is no such.
func (s *Store) WatchAnew() {
	if s.cluster != nil && s.peer != nil {
		s.cluster.reconnected()
	}
}

// Confirm returns nil if a room is still this server's, or has ended. Of replicas, one that has not heard from the
// others lately may answer a read with what was; so it is written again, as it was, which most of
// them have to take. The error is [ErrNotOwner] if another server has it.
func (s *Store) Confirm(ctx context.Context, id string) error {
	if s.peer == nil {
		if err := s.RefreshRoom(ctx, id); err != nil {
			return err
		}
		if owner, there := s.Owner(id); there && owner != s.cluster.node {
			return ErrNotOwner
		}
		return nil
	}
	_, err := s.rooms.change(ctx, keyOf(id), func(r roomRecord, there bool) (roomRecord, error) {
		switch {
		case !there || r.Ended:
			return r, ErrNotFound
		case r.Node != s.cluster.node:
			return r, ErrNotOwner
		}
		return r, nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Leads reports for each bucket whether the server in this process leads the writing of it. Without
// such a server there are none.
func (s *Store) Leads() map[string]bool {
	if s.peer == nil {
		return nil
	}
	leads := map[string]bool{}
	for name := range s.buckets {
		leads[name] = s.peer.Leads("KV_earshot-" + name)
	}
	return leads
}
