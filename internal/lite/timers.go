package lite

import (
	"container/heap"
	"sync"
	"time"
)

// timers are the deadlines of all clients of a group: one heap, no goroutine.
type timers struct {
	mu     sync.Mutex
	due    deadlines
	popped []*Client // scratch of pop
}

// set moves a client's deadline; the zero time takes it away.
func (t *timers) set(c *Client, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case at.IsZero() && c.heapIndex > 0:
		heap.Remove(&t.due, c.heapIndex-1)
	case at.IsZero():
	case c.heapIndex > 0:
		c.deadline = at
		heap.Fix(&t.due, c.heapIndex-1)
	default:
		c.deadline = at
		heap.Push(&t.due, c)
	}
}

// pop takes out the clients that are due. The slice is valid until the next call.
func (t *timers) pop(now time.Time) []*Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.popped = t.popped[:0]
	for len(t.due) > 0 && !t.due[0].deadline.After(now) {
		t.popped = append(t.popped, heap.Pop(&t.due).(*Client))
	}
	return t.popped
}

// deadlines implements heap.Interface; a client knows its place, from 1.
type deadlines []*Client

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].deadline.Before(d[j].deadline) }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].heapIndex, d[j].heapIndex = i+1, j+1
}

// Push implements heap.Interface.
func (d *deadlines) Push(x any) {
	c := x.(*Client)
	*d = append(*d, c)
	c.heapIndex = len(*d)
}

// Pop implements heap.Interface.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	c := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	c.heapIndex = 0
	return c
}
