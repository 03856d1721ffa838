package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// batchWait is how long what is to be told waits at most for the answers to the message before it.
	batchWait = 20 * time.Millisecond
	// maxBatch and maxBatchBytes are how many orders, and how much of their data, are in one message: what NATS takes is a megabyte.
	maxBatch      = 256
	maxBatchBytes = 512 << 10
)

// order is something that another node is to carry out. A message has a list of them.
type order struct {
	Kind string `json:"kind"`
	Data []byte `json:"data,omitempty"`
}

// doneOrders is a node's answer: which orders of a message it has carried out, by their places in it.
type doneOrders struct {
	Node string `json:"node"`
	// Done are those that it has carried out now; nil: all but Later, of which it says more in other answers.
	Done  []int `json:"done,omitempty"`
	Later []int `json:"later,omitempty"`
}

func (d doneOrders) has(i int) bool {
	if d.Done != nil {
		return slices.Contains(d.Done, i)
	}
	return !slices.Contains(d.Later, i)
}

// teller tells the other nodes what they are to carry out, and waits for their answers. While a message has not been answered by
// all, what is to be told waits for the next one, 20 ms at most: when many people come at once, many arrivals share one
// message and its answers, which cost the NATS servers more than carrying them out costs the nodes. It is safe for concurrent
// use.
type teller struct {
	// send sends a message, to be answered at a subject. It does not wait.
	send func(reply string, data []byte) error
	// others returns the nodes that a message is answered by.
	others func() []string
	// subject is that of the answers, without their message's token.
	subject string
	// hold is how long what is to be told waits for the answers to the message before it.
	hold time.Duration

	mu      sync.Mutex
	waiting []*telling
	batches map[string]*batch // those with orders that somebody waits for, by the subjects of their answers
	last    *batch            // the one whose answers hold up what waits; nil: none
}

// telling is an order, and who has not carried it out yet. The teller's lock guards it.
type telling struct {
	order
	batch *batch          // nil until it is sent
	left  map[string]bool // the nodes that have not carried it out
	ended chan struct{}   // closed when none is left, or it can't be sent
}

// batch is a message under way. The teller's lock guards it.
type batch struct {
	reply  string
	orders []*telling
	open   int             // how many of the orders somebody waits for
	silent map[string]bool // the nodes that have not answered at all
	due    *time.Timer
}

func newTeller(subject string, others func() []string, send func(reply string, data []byte) error) *teller {
	return &teller{subject: subject, others: others, send: send, hold: batchWait, batches: map[string]*batch{}}
}

// tell has all other nodes carry an order out, and returns the nodes that have not said so when ctx ends.
func (t *teller) tell(ctx context.Context, kind string, data []byte) (silent []string) {
	a := &telling{order: order{kind, data}, ended: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, a)
	if t.last == nil {
		t.flush()
	}
	t.mu.Unlock()
	select {
	case <-a.ended:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.batch == nil {
		return t.others()
	}
	if len(a.left) > 0 {
		t.close(a)
	}
	return slices.Collect(maps.Keys(a.left))
}

// flush sends what waits, in one message or, if it is too much, in several. t.mu is held.
func (t *teller) flush() {
	t.last = nil
	for len(t.waiting) > 0 {
		n, size := 0, 0
		for n < len(t.waiting) && n < maxBatch && (n == 0 || size+len(t.waiting[n].Data) <= maxBatchBytes) {
			size += len(t.waiting[n].Data)
			n++
		}
		t.sendBatch(slices.Clone(t.waiting[:n]))
		t.waiting = slices.Delete(t.waiting, 0, n)
	}
}

// sendBatch sends a message. t.mu is held.
func (t *teller) sendBatch(orders []*telling) {
	b := &batch{reply: t.subject + rand.Text(), orders: orders, open: len(orders), silent: map[string]bool{}}
	for _, id := range t.others() {
		b.silent[id] = true
	}
	message := make([]order, len(orders))
	for i, a := range orders {
		message[i], a.batch, a.left = a.order, b, maps.Clone(b.silent)
	}
	data, err := json.Marshal(message)
	if err == nil {
		err = t.send(b.reply, data)
	}
	if err != nil || len(b.silent) == 0 {
		for _, a := range orders {
			close(a.ended)
		}
		return
	}
	t.batches[b.reply], t.last = b, b
	b.due = time.AfterFunc(t.hold, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.last == b {
			t.flush()
		}
	})
}

// close notes that nobody waits for an order any more. t.mu is held.
func (t *teller) close(a *telling) {
	if a.batch.open--; a.batch.open == 0 {
		delete(t.batches, a.batch.reply)
	}
}

// answered takes a node's answer to the message whose answers go to a subject.
func (t *teller) answered(subject string, data []byte) {
	var d doneOrders
	if json.Unmarshal(data, &d) != nil {
		return // of a program that is not this one
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.batches[subject]
	if b == nil {
		return // nobody waits for it any more
	}
	for i, a := range b.orders {
		if !a.left[d.Node] || !d.has(i) {
			continue
		}
		if delete(a.left, d.Node); len(a.left) == 0 {
			close(a.ended)
			t.close(a)
		}
	}
	if delete(b.silent, d.Node); len(b.silent) == 0 && t.last == b {
		b.due.Stop()
		t.flush()
	}
}
