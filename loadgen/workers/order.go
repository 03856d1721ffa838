package workers

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/earshot-audio/earshot/loadgen/link"
)

// Order implements link.Link: the workers ask one another over NATS.
func (m *Membership) Order(ctx context.Context, worker int, o link.Order) (out link.Outcome, err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return out, err
	}
	answer, err := m.conn.RequestWithContext(ctx, orderSubject(m.run, worker), text)
	if err != nil {
		return out, fmt.Errorf("ask worker %d: %w", worker+1, err)
	}
	if err := json.Unmarshal(answer.Data, &out); err != nil {
		return out, fmt.Errorf("the answer of worker %d: %w", worker+1, err)
	}
	return out, nil
}

// Obey implements link.Link.
func (m *Membership) Obey(act func(context.Context, link.Order) link.Outcome) error {
	_, err := m.conn.Subscribe(orderSubject(m.run, m.number), func(msg *nats.Msg) {
		var o link.Order
		if json.Unmarshal(msg.Data, &o) != nil {
			return // who asked will miss the answer
		}
		m.orders.start(func(ctx context.Context) {
			text, err := json.Marshal(act(ctx, o))
			if err == nil {
				_ = msg.Respond(text) // the run may be at its end
			}
		})
	})
	return err
}

// orders are those of other workers that are being carried out. It is safe for concurrent use.
type orders struct {
	mu   sync.Mutex
	end  context.CancelFunc // nil: none is started
	new  func() (context.Context, context.CancelFunc)
	work sync.WaitGroup
}

// open lets orders be started, again if it has been closed.
func (o *orders) open() {
	o.mu.Lock()
	defer o.mu.Unlock()
	all, end := context.WithCancel(context.Background())
	o.end, o.new = end, func() (context.Context, context.CancelFunc) { return context.WithCancel(all) }
}

// start carries out one, whose context ends with close.
func (o *orders) start(do func(context.Context)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.end == nil {
		return
	}
	ctx, cancel := o.new()
	o.work.Go(func() {
		defer cancel()
		do(ctx)
	})
}

// close ends those that are being carried out, and waits for them.
func (o *orders) close() {
	o.mu.Lock()
	if o.end != nil {
		o.end()
		o.end = nil
	}
	o.mu.Unlock()
	o.work.Wait()
}
