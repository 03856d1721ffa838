package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sent is a message of a teller.
type sent struct {
	reply string
	kinds string
}

// wire returns a teller whose messages other nodes answer by hand.
func wire(t *testing.T, others ...string) (*teller, chan sent) {
	t.Helper()
	messages := make(chan sent, 100)
	tl := newTeller("answers.", func() []string { return others }, func(reply string, data []byte) error {
		var orders []order
		if err := json.Unmarshal(data, &orders); err != nil {
			return err
		}
		var kinds []string
		for _, o := range orders {
			kinds = append(kinds, o.Kind)
		}
		messages <- sent{reply, strings.Join(kinds, " ")}
		return nil
	})
	tl.hold = time.Hour
	return tl, messages
}

// goOn has the teller wait no longer for the answers to its last message.
func goOn(tl *teller) {
	tl.mu.Lock()
	defer tl.mu.Unlock()
	tl.last.due.Reset(0)
}

// begin tells something in a goroutine, and returns who has not carried it out when it is over.
func begin(ctx context.Context, tl *teller, kind string) (silent chan []string) {
	silent = make(chan []string, 1)
	tl.mu.Lock()
	before := len(tl.waiting) + len(tl.batches)
	tl.mu.Unlock()
	go func() { silent <- tl.tell(ctx, kind, nil) }()
	for { // until it is sent, or waits
		tl.mu.Lock()
		now := len(tl.waiting) + len(tl.batches)
		tl.mu.Unlock()
		if now > before {
			return silent
		}
		time.Sleep(time.Millisecond)
	}
}

func answer(t *testing.T, tl *teller, m sent, d doneOrders) {
	t.Helper()
	data, err := json.Marshal(d)
	require.NoError(t, err)
	tl.answered(m.reply, data)
}

func TestTellerWaitsForAllNodes(t *testing.T) {
	tl, messages := wire(t, "b", "c")
	silent := begin(t.Context(), tl, "one")
	m := <-messages
	answer(t, tl, m, doneOrders{Node: "b"})
	answer(t, tl, m, doneOrders{Node: "b"})
	answer(t, tl, m, doneOrders{Node: "d"})
	tl.answered(m.reply, []byte("b"))
	assert.Empty(t, silent, "c has not answered")
	answer(t, tl, m, doneOrders{Node: "c"})
	assert.Empty(t, <-silent)
	assert.Empty(t, tl.batches)
	answer(t, tl, m, doneOrders{Node: "c"}) // nobody waits for it any more
}

// What is told while a message has not been answered goes into one message, when it has been or after a while.
func TestTellerBatches(t *testing.T) {
	tl, messages := wire(t, "b", "c")
	one := begin(t.Context(), tl, "one")
	first := <-messages
	two, three := begin(t.Context(), tl, "two"), begin(t.Context(), tl, "three")
	assert.Empty(t, messages)
	goOn(tl)
	second := <-messages // nobody has answered the first
	assert.Equal(t, []string{"one", "two three"}, []string{first.kinds, second.kinds})
	four := begin(t.Context(), tl, "four")
	answer(t, tl, second, doneOrders{Node: "b"})
	answer(t, tl, first, doneOrders{Node: "b"})
	answer(t, tl, first, doneOrders{Node: "c"})
	assert.Empty(t, messages, "c has not answered the last message")
	assert.Empty(t, <-one)
	answer(t, tl, second, doneOrders{Node: "c"})
	third := <-messages
	assert.Equal(t, "four", third.kinds)
	answer(t, tl, third, doneOrders{Node: "b"})
	answer(t, tl, third, doneOrders{Node: "c"})
	assert.Empty(t, <-two)
	assert.Empty(t, <-three)
	assert.Empty(t, <-four)
	assert.Empty(t, tl.batches)
}

func TestTellerSlowOrderHoldsUpItselfAlone(t *testing.T) {
	tl, messages := wire(t, "b")
	one := begin(t.Context(), tl, "one")
	first := <-messages
	slow, quick := begin(t.Context(), tl, "slow"), begin(t.Context(), tl, "quick")
	answer(t, tl, first, doneOrders{Node: "b"})
	second := <-messages
	assert.Equal(t, "slow quick", second.kinds)
	answer(t, tl, second, doneOrders{Node: "b", Later: []int{0}})
	answer(t, tl, second, doneOrders{Node: "b", Later: []int{0}}) // as a NATS cluster may deliver it twice
	assert.Empty(t, <-one)
	assert.Empty(t, <-quick)
	assert.Empty(t, slow)
	next := begin(t.Context(), tl, "next")
	third := <-messages // the node has answered, if not for all
	answer(t, tl, third, doneOrders{Node: "b"})
	assert.Empty(t, <-next)
	assert.Empty(t, slow)
	answer(t, tl, second, doneOrders{Node: "b", Done: []int{0}})
	assert.Empty(t, <-slow)
	assert.Empty(t, tl.batches)
}

func TestTellerNamesWhoIsSilent(t *testing.T) {
	tl, messages := wire(t, "b", "c")
	ctx, cancel := context.WithCancel(t.Context())
	sentOne := begin(ctx, tl, "one")
	m := <-messages
	waits := begin(ctx, tl, "two")
	answer(t, tl, m, doneOrders{Node: "c"})
	cancel()
	assert.Equal(t, []string{"b"}, <-sentOne)
	assert.Equal(t, []string{"b", "c"}, <-waits, "it has not been sent")
	assert.Empty(t, tl.batches, "nothing is kept for those who have given up")

	tl, _ = wire(t)
	assert.Empty(t, tl.tell(t.Context(), "one", nil), "there is nobody else")
	tl.send = func(string, []byte) error { return errors.New("no connection") }
	tl.others = func() []string { return []string{"b"} }
	assert.Equal(t, []string{"b"}, tl.tell(t.Context(), "one", nil))
	assert.Empty(t, tl.batches)
}

func TestTellerBoundsMessages(t *testing.T) {
	for name, c := range map[string]struct {
		orders, bytes int
		want          []int
	}{
		"as many as a message takes":        {maxBatch, 0, []int{maxBatch}},
		"one more":                          {maxBatch + 1, 0, []int{maxBatch, 1}},
		"as much as a message takes":        {2, maxBatchBytes / 2, []int{2}},
		"a little more":                     {3, maxBatchBytes/2 - 1, []int{2, 1}},
		"one that is too long goes alone":   {2, maxBatchBytes + 1, []int{1, 1}},
		"long ones, after what they exceed": {3, maxBatchBytes/2 + 1, []int{1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			tl, messages := wire(t, "b")
			for range c.orders {
				tl.waiting = append(tl.waiting, &telling{order: order{"k", make([]byte, c.bytes)}, ended: make(chan struct{})})
			}
			tl.mu.Lock()
			tl.flush()
			tl.mu.Unlock()
			var got []int
			for len(messages) > 0 {
				got = append(got, len(strings.Fields((<-messages).kinds)))
			}
			assert.Equal(t, c.want, got)
		})
	}
}

// Many orders at once, of which some take long, over a real NATS server: each is carried out once by each other node before it is acknowledged.
func TestOrdersAreCarriedOutOnce(t *testing.T) {
	ns := startNATS(t, t.TempDir(), server.RANDOM_PORT)
	var mu sync.Mutex
	carried := map[string]int{}
	node := func(id string) *Cluster {
		return join(t, ns.ClientURL(), id, nil, func(kind string, data []byte) func() {
			do := func() {
				mu.Lock()
				defer mu.Unlock()
				carried[id+kind+string(data)]++
			}
			if kind == "slow" {
				return func() { time.Sleep(30 * time.Millisecond); do() }
			}
			do()
			return nil
		})
	}
	nodes := []*Cluster{node("a"), node("b"), node("c")}
	for _, n := range nodes {
		require.Eventually(t, func() bool { return ids(n) == "a b c" }, time.Minute, time.Millisecond)
	}
	var telling sync.WaitGroup
	for i := range 600 {
		telling.Go(func() {
			from, kind, data := nodes[i%3], "quick", fmt.Sprint(i)
			if i%50 == 0 {
				kind = "slow"
			}
			assert.Empty(t, from.TellAndWait(t.Context(), kind, []byte(data), time.Minute))
			mu.Lock()
			defer mu.Unlock()
			for _, n := range nodes {
				want := 1
				if n == from {
					want = 0
				}
				assert.Equal(t, want, carried[n.Self().ID+kind+data], "%s at %s", data, n.Self().ID)
			}
		})
	}
	telling.Wait()
	for _, n := range nodes {
		assert.Empty(t, n.orders.batches)
	}
}
