package kv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// replicatedTry is how long a read or write of replicas may take. A server that becomes the leader may
// take one and never answer it.
const replicatedTry = 3 * time.Second

// shared is a bucket that the servers of a cluster write to.
type shared struct {
	JetStream
	lease *Lease
	// conn leads to the replicas, and within is how long one read or write of them may take; zero:
	// there are none.
	conn    *nats.Conn
	within  time.Duration
	patient bool
}

// NewShared returns a bucket that is written to while a lease is held; nil: there is none yet.
// replicas leads to the servers that keep the bucket together; nil: one keeps it. patient means that a write waits,
// for as long as the operation, until there is a server that takes it.
func NewShared(held JetStream, l *Lease, replicas *nats.Conn, patient bool) Bucket {
	b := shared{JetStream: held, lease: l, patient: patient}
	if replicas != nil {
		b.conn, b.within = replicas, replicatedTry
	}
	return b
}

// Put implements [Bucket].
func (b shared) Put(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	if err := b.lease.Check(); err != nil {
		return 0, err
	}
	if b.within == 0 {
		now, err := b.JetStream.Put(ctx, key, data, revision)
		return now, unreachable(err)
	}
	for {
		try, cancel := context.WithTimeout(ctx, b.within)
		now, err := b.JetStream.Put(try, key, data, revision)
		cancel()
		if !b.patient || !Unheard(err) || ctx.Err() != nil {
			return now, unreachable(err)
		}
	}
}

// Remove implements [Bucket].
func (b shared) Remove(ctx context.Context, key string) error {
	if err := b.lease.Check(); err != nil {
		return err
	}
	return unreachable(b.JetStream.Remove(ctx, key))
}

// unreachable makes the error of a server that does not answer [ErrLapsed].
func unreachable(err error) error {
	for _, gone := range []error{context.DeadlineExceeded, nats.ErrNoResponders, nats.ErrReconnectBufExceeded, jetstream.ErrNoStreamResponse} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w: %w", ErrLapsed, err)
		}
	}
	var refused *jetstream.APIError
	if errors.As(err, &refused) && refused.Code == http.StatusServiceUnavailable { // it has no contact with the others
		return fmt.Errorf("%w: %w", ErrLapsed, err)
	}
	return err
}

// Get reads a record from the server that leads the bucket: another replica may not have heard yet
// that the last write is one.
func (b shared) Get(ctx context.Context, key string) (Record, error) {
	if b.within == 0 {
		return b.JetStream.Get(ctx, key)
	}
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	request, err := json.Marshal(server.JSApiMsgGetRequest{LastFor: "$KV." + b.KV.Bucket() + "." + key})
	if err != nil {
		return Record{}, err
	}
	answer, err := b.conn.RequestWithContext(ctx, fmt.Sprintf(server.JSApiMsgGetT, "KV_"+b.KV.Bucket()), request)
	if err != nil {
		return Record{}, unreachable(err)
	}
	var got server.JSApiMsgGetResponse
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return Record{}, fmt.Errorf("the answer of the NATS server: %w", err)
	}
	switch {
	case got.Error != nil && got.Error.Code == 404:
		return Record{}, ErrNotFound
	case got.Error != nil:
		return Record{}, unreachable(&jetstream.APIError{Code: got.Error.Code, ErrorCode: jetstream.ErrorCode(got.Error.ErrCode), Description: got.Error.Description})
	case got.Message == nil:
		return Record{}, errors.New("the NATS server answers without a record")
	}
	if len(got.Message.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(got.Message.Header)
		if err != nil {
			return Record{}, fmt.Errorf("the answer of the NATS server: %w", err)
		}
		if header.Get(operationHeader) != "" {
			return Record{}, ErrNotFound // it was removed
		}
	}
	return Record{Key: key, Data: got.Message.Data, Revision: got.Message.Sequence}, nil
}

// Unheard reports whether nobody can have taken a write, since no server leads the bucket now.
func Unheard(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse)
}
