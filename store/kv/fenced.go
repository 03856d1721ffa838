package kv

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// epochHeader is the header of each message that names its writer's epoch.
	epochHeader = "Earshot-Epoch"
	// fenceKey is the key of the message with which a new owner begins.
	fenceKey = "_owner"
	// operationHeader is what JetStream's key-value says of a removal by; watchers leave
	// those out.
	operationHeader = "KV-Operation"
	purge           = "PURGE"
)

// Fenced is a bucket of an external server, to which its owner alone can write. Each write
// names the last message of the stream, which its owner has written or has read at the
// beginning, and the server refuses it if there is another. A new owner begins with a
// message of its own: from then on no write of an earlier one can succeed, however late
// it comes, and all that were acknowledged before are seen.
type Fenced struct {
	JetStream // to read
	name      string
	js        jetstream.JetStream
	lease     *Lease

	writing chan struct{} // held by who writes: one at a time
	last    uint64        // the last message of the stream
	doubt   bool          // whether an attempt to write may have succeeded
}

// Fence takes a bucket over from its last owner.
func Fence(ctx context.Context, js jetstream.JetStream, name string, held JetStream, l *Lease) (*Fenced, error) {
	b := &Fenced{JetStream: held, name: name, js: js, lease: l, writing: make(chan struct{}, 1)}
	for {
		last, epoch, err := b.lastMessage(ctx)
		switch {
		case err != nil:
			return nil, fmt.Errorf("take over the %s of the store: %w", name, err)
		case epoch > l.epoch:
			return nil, fmt.Errorf("take over the %s of the store: %w", name, ErrBusy)
		}
		b.last = last
		_, err = b.publish(ctx, fenceKey, nil, nats.Header{operationHeader: {purge}})
		if err == nil {
			return b, nil
		}
		if !conflicts(err) {
			return nil, fmt.Errorf("take over the %s of the store: %w", name, err)
		}
	}
}

// Put writes a record.
func (b *Fenced) Put(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	return b.write(ctx, key, data, nats.Header{}, jetstream.WithExpectLastSequencePerSubject(revision), revision == 0)
}

// Remove removes a record.
func (b *Fenced) Remove(ctx context.Context, key string) error {
	_, err := b.write(ctx, key, nil, nats.Header{operationHeader: {purge}, "Nats-Rollup": {"sub"}}, nil, false)
	return err
}

// write writes a message. If it is to be the first of a record, that may have been removed
// before.
func (b *Fenced) write(ctx context.Context, key string, data []byte, h nats.Header, expect jetstream.PublishOpt, first bool) (uint64, error) {
	select {
	case b.writing <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-b.writing }()
	if err := b.lease.Check(); err != nil {
		return 0, err
	}
	if err := b.settle(ctx); err != nil {
		return 0, err
	}
	var options []jetstream.PublishOpt
	if expect != nil {
		options = append(options, expect)
	}
	revision, err := b.publish(ctx, key, data, h, options...)
	if !conflicts(err) {
		return revision, err
	}
	if err := b.settle(ctx); err != nil {
		return 0, err
	}
	if !first {
		return 0, ErrConflict
	}
	m, err := b.Stream.GetLastMsgForSubject(ctx, b.subject(key))
	if err != nil || m.Header.Get(operationHeader) == "" {
		return 0, ErrConflict
	}
	return b.publish(ctx, key, data, h, jetstream.WithExpectLastSequencePerSubject(m.Sequence))
}

// publish publishes a message right after the last one. It is in doubt if that fails.
func (b *Fenced) publish(ctx context.Context, key string, data []byte, h nats.Header, options ...jetstream.PublishOpt) (uint64, error) {
	h.Set(epochHeader, strconv.FormatUint(b.lease.epoch, 10))
	options = append(options, jetstream.WithExpectLastSequence(b.last))
	b.doubt = true
	ack, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: b.subject(key), Data: data, Header: h}, options...)
	var refusal *jetstream.APIError
	switch {
	case err == nil:
		b.last, b.doubt = ack.Sequence, false
		return ack.Sequence, nil
	case errors.As(err, &refusal) && (refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		return 0, ErrConflict
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, jetstream.ErrNoStreamResponse):
		return 0, fmt.Errorf("%w: %w", ErrLapsed, err)
	}
	return 0, err
}

// settle finds out what became of an attempt to write. The store has failed if another
// server has written, or if the server has lost what it acknowledged.
func (b *Fenced) settle(ctx context.Context) error {
	if !b.doubt {
		return nil
	}
	last, epoch, err := b.lastMessage(ctx)
	switch {
	case err != nil:
		return err
	case last < b.last:
		err := fmt.Errorf("its NATS server has lost %d acknowledged writes of the %s", b.last-last, b.name)
		b.lease.health.Fail(err)
		return b.lease.health.Check()
	case last != b.last && epoch != b.lease.epoch:
		b.lease.lose()
		return ErrLost
	}
	b.last, b.doubt = last, false
	return nil
}

// inspect settles a bucket when its server has been away.
func (b *Fenced) inspect(ctx context.Context) error {
	select {
	case b.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.writing }()
	b.doubt = true
	return b.settle(ctx)
}

// InspectAll settles several buckets.
func InspectAll(ctx context.Context, buckets []*Fenced) error {
	for _, b := range buckets {
		if err := b.inspect(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lastMessage returns the sequence number of the stream's last message, and its writer's
// epoch: 0 for one that was written without, or has expired.
func (b *Fenced) lastMessage(ctx context.Context) (last, epoch uint64, err error) {
	now, err := b.Stream.Info(ctx)
	if err != nil {
		return 0, 0, err
	}
	last = now.State.LastSeq
	m, err := b.Stream.GetMsg(ctx, last)
	if errors.Is(err, jetstream.ErrMsgNotFound) || last == 0 {
		return last, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	epoch, _ = strconv.ParseUint(m.Header.Get(epochHeader), 10, 64) // 0: it has none
	return last, epoch, nil
}

func (b *Fenced) subject(key string) string { return "$KV." + b.KV.Bucket() + "." + key }
