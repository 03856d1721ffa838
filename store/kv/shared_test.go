package kv

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
)

func TestAnswerOfAServerWithoutTheOthersIsErrLapsed(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		lapsed bool
	}{
		"it does not answer":                {fmt.Errorf("get: %w", context.DeadlineExceeded), true},
		"nobody listens":                    {nats.ErrNoResponders, true},
		"the connection is away":            {nats.ErrReconnectBufExceeded, true},
		"nobody leads the stream":           {jetstream.ErrNoStreamResponse, true},
		"it has no contact with the others": {fmt.Errorf("get: %w", &jetstream.APIError{Code: 503, ErrorCode: 10008}), true},
		"it refuses":                        {&jetstream.APIError{Code: 400, ErrorCode: 10071}, false},
		"another error":                     {errors.New("no"), false},
		"none":                              {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := unreachable(c.err)
			assert.Equal(t, c.lapsed, errors.Is(got, ErrLapsed))
			assert.ErrorIs(t, got, c.err)
		})
	}
}
