package store

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

// sharedBucket is a bucket that the servers of a cluster write to.
type sharedBucket struct {
	jetstreamBucket
	lease *lease
	// conn leads to the replicas, and within is how long one read or write of them may take; zero:
	// there are none.
	conn   *nats.Conn
	within time.Duration
	// patient means that a write waits, for as long as the operation, until there is a server that
	// takes it: nobody is told that it was not written.
	patient bool
}

func (s *Store) sharedBucket(name string, held jetstreamBucket) sharedBucket {
	b := sharedBucket{jetstreamBucket: held, lease: s.lease, patient: name == auditBucket}
	if s.peer != nil {
		b.conn, b.within = s.conn, replicatedTry
	}
	return b
}

func (b sharedBucket) put(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	if err := b.lease.check(); err != nil {
		return 0, err
	}
	if b.within == 0 {
		now, err := b.jetstreamBucket.put(ctx, key, data, revision)
		return now, unreachable(err)
	}
	for {
		try, cancel := context.WithTimeout(ctx, b.within)
		now, err := b.jetstreamBucket.put(try, key, data, revision)
		cancel()
		if !b.patient || !unheard(err) || ctx.Err() != nil {
			return now, unreachable(err)
		}
	}
}

func (b sharedBucket) remove(ctx context.Context, key string) error {
	if err := b.lease.check(); err != nil {
		return err
	}
	return unreachable(b.jetstreamBucket.remove(ctx, key))
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

// get reads a record from the server that leads the bucket: another replica may not have heard yet
// that the last write is one.
func (b sharedBucket) get(ctx context.Context, key string) (record, error) {
	if b.within == 0 {
		return b.jetstreamBucket.get(ctx, key)
	}
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	request, err := json.Marshal(server.JSApiMsgGetRequest{LastFor: "$KV." + b.store.Bucket() + "." + key})
	if err != nil {
		return record{}, err
	}
	answer, err := b.conn.RequestWithContext(ctx, fmt.Sprintf(server.JSApiMsgGetT, "KV_"+b.store.Bucket()), request)
	if err != nil {
		return record{}, unreachable(err)
	}
	var got server.JSApiMsgGetResponse
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return record{}, fmt.Errorf("the answer of the NATS server: %w", err)
	}
	switch {
	case got.Error != nil && got.Error.Code == 404:
		return record{}, ErrNotFound
	case got.Error != nil:
		return record{}, unreachable(&jetstream.APIError{Code: got.Error.Code, ErrorCode: jetstream.ErrorCode(got.Error.ErrCode), Description: got.Error.Description})
	case got.Message == nil:
		return record{}, errors.New("the NATS server answers without a record")
	}
	if len(got.Message.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(got.Message.Header)
		if err != nil {
			return record{}, fmt.Errorf("the answer of the NATS server: %w", err)
		}
		if header.Get(operationHeader) != "" {
			return record{}, ErrNotFound // it was removed
		}
	}
	return record{key: key, data: got.Message.Data, revision: got.Message.Sequence}, nil
}
