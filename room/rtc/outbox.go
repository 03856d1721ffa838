package rtc

import (
	"net/netip"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/internal/packet"
	"github.com/earshot-audio/earshot/internal/prefetch"
	"github.com/earshot-audio/earshot/internal/udpbatch"
	"github.com/earshot-audio/earshot/room/fanout"
)

const (
	// batchPackets is how many datagrams go out in one system call, and
	// batchBytes the memory for them: speech takes about 150 bytes a packet. More
	// would not make a packet cheaper, and no longer fit into the nearest cache.
	batchPackets = 64
	batchBytes   = 16 << 10
)

// batchWriter is what an outbox needs of a socket.
type batchWriter interface {
	WriteBatch(ms []udpbatch.Message) (int, error)
}

// batch is sealed packets that wait to be sent.
type batch struct {
	arena    *packet.Arena
	messages [batchPackets]udpbatch.Message
	// owners are whose media packets they are; nil for reports.
	owners [batchPackets]*lean
	sizes  [batchPackets]int // of the payloads
	n      int
}

func newBatch() *batch {
	arena, err := packet.NewArena(batchBytes)
	if err != nil {
		panic(err) // the size is a constant that is large enough
	}
	return &batch{arena: arena}
}

// batches are the idle ones of a process: as many as there ever were shards at
// work at the same time, however many rooms there are.
type batches struct {
	mu   sync.Mutex
	idle []*batch
}

func (bs *batches) get() *batch {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	if last := len(bs.idle) - 1; last >= 0 {
		b := bs.idle[last]
		bs.idle = bs.idle[:last]
		return b
	}
	return newBatch()
}

func (bs *batches) put(b *batch) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	bs.idle = append(bs.idle, b)
}

// outbox gathers what the ears of one shard of one room send. It belongs to the
// shard's goroutine.
type outbox struct {
	writer batchWriter
	spare  *batches
	clock  func() time.Time

	batch  *batch // nil: nothing was put in since the last Flush
	now    time.Time
	nanos  int64 // the same, since 1970
	failed int
}

// Prepare implements fanout.Outbox. The ears of a room are many times what a
// processor's cache holds, and each packet finds them gone from it. One ear's
// memory takes as long to come as several ears', if it is asked for together.
func (o *outbox) Prepare(section int, ears []fanout.Ear) {
	for step := range 3 {
		for _, e := range ears {
			l, ok := e.(*lean)
			if !ok {
				continue
			}
			switch step { // each finds its way in what the one before has asked for
			case 0:
				prefetch.Object(l)
			case 1:
				prefetch.Object(&l.voices[section])
			case 2:
				l.voices[section].stream.Prefetch()
			}
		}
	}
}

// take gives room for a packet of at most n bytes, to be put in next.
func (o *outbox) take(n int) []byte {
	if o.batch == nil {
		o.batch, o.now = o.spare.get(), o.clock()
		o.nanos = o.now.UnixNano()
	}
	if o.batch.n == batchPackets {
		o.send()
	}
	b := o.batch.arena.Take(n)
	if b == nil {
		o.send()
		b = o.batch.arena.Take(n)
	}
	return b
}

// put adds a datagram that was written where take said. owner is whose media
// packet it is, with so many bytes of payload; nil for a report.
func (o *outbox) put(b []byte, to netip.AddrPort, owner *lean, payload int) {
	i := o.batch.n
	m := &o.batch.messages[i]
	m.Buf, m.Addr = b, to
	o.batch.owners[i], o.batch.sizes[i] = owner, payload
	o.batch.n++
}

// send sends what there is. What can't be sent now is dropped.
func (o *outbox) send() {
	b := o.batch
	done, err := o.writer.WriteBatch(b.messages[:b.n])
	for i := range b.n {
		if owner := b.owners[i]; owner != nil && (i >= done && err != nil || b.messages[i].N < 0) {
			owner.packets.Add(^uint64(0))
			owner.bytes.Add(-uint64(b.sizes[i]))
			o.failed++
		}
		b.owners[i] = nil
	}
	b.n = 0
	b.arena.Reset()
}

// Flush implements fanout.Outbox.
func (o *outbox) Flush() int {
	if o.batch == nil {
		return 0
	}
	o.send()
	o.spare.put(o.batch)
	o.batch = nil
	failed := o.failed
	o.failed = 0
	return failed
}
