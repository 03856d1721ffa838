package mediaport

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/icetcp"
	"github.com/earshot-audio/earshot/internal/packet"
	"github.com/earshot-audio/earshot/internal/udpbatch"
)

const (
	// BatchMessages is how many messages go out in one system call, and
	// BatchBytes the memory for them: speech takes about 150 bytes a packet. More
	// would not make a packet cheaper, and no longer fit into the nearest cache.
	BatchMessages = 64
	BatchBytes    = 16 << 10
	// MaxBundle is how many packets leave as one message at most: half of what one
	// costs is saved with two, and nine tenths with ten. A bundle that is lost is
	// lost whole, and clients rely on the bound.
	MaxBundle = udpbatch.MaxBundle
	// MaxSegment is how long a packet in a bundle may be, in bytes: it must fit any
	// path's MTU by itself.
	MaxSegment = 1200
)

// A Writer is what a batch needs of a socket.
type Writer interface {
	WriteBatch(ms []udpbatch.Message) (int, error)
}

// batchBuffer holds sealed packets that wait to be sent.
type batchBuffer struct {
	arena    *packet.Arena
	messages [BatchMessages]udpbatch.Message
	bundles  [BatchMessages]Bundle
	n        int
}

// Sent counts the packets that somebody was sent, and their payloads' bytes.
type Sent struct{ Packets, Bytes atomic.Uint64 }

// A Bundle is what a message of media packets holds: it belongs to the batch.
type Bundle struct {
	to    *Sent   // whose it is; nil: the message is something else
	lost  *uint64 // where it is counted what can't be sent
	count int
	sizes [MaxBundle]uint16 // of the payloads
}

func newBatchBuffer() *batchBuffer {
	arena, err := packet.NewArena(BatchBytes)
	if err != nil {
		panic(err) // the size is a constant that is large enough
	}
	return &batchBuffer{arena: arena}
}

// NewBatch makes the batch of a shard.
func (p *Port) NewBatch(shard int, clock func() time.Time) *Batch {
	b := NewBatch(p.of(shard), clock)
	b.tcp = p.tcp
	return b
}

// A Batch gathers what is to leave by one socket. It belongs to one goroutine.
type Batch struct {
	writer Writer
	tcp    *icetcp.Port // takes what is for TCP connections; nil: nothing is
	clock  func() time.Time

	buffer *batchBuffer
	opened bool // something was added since the last Flush
	now    time.Time
	nanos  int64 // the same, since 1970
	lost   *uint64
}

// NewBatch makes a batch that a writer sends.
func NewBatch(writer Writer, clock func() time.Time) *Batch {
	return &Batch{writer: writer, clock: clock, buffer: newBatchBuffer(), lost: new(uint64)}
}

// CountLost has packets that can't be sent counted there from now on.
func (b *Batch) CountLost(lost *uint64) { b.lost = lost }

// Open begins a batch, unless it has begun.
func (b *Batch) Open() {
	if !b.opened {
		b.opened, b.now = true, b.clock()
		b.nanos = b.now.UnixNano()
	}
}

// Reserve returns memory for a message of at most n bytes, to be added next; nil: it is
// longer than a batch.
func (b *Batch) Reserve(n int) []byte {
	b.Open()
	if b.buffer.n == BatchMessages {
		b.send()
	}
	memory := b.buffer.arena.Take(n)
	if memory == nil {
		b.send()
		memory = b.buffer.arena.Take(n)
	}
	return memory
}

// Add adds a datagram that was written to the reserved memory, and no media packet.
func (b *Batch) Add(datagram []byte, to netip.AddrPort) {
	if isOverTCP(b.tcp, to) {
		b.tcp.Send(datagram, to)
		return
	}
	b.buffer.messages[b.buffer.n] = udpbatch.Message{Buf: datagram, Addr: to}
	b.buffer.n++
}

// Next is the bundle to be added next, which is empty. Memory has been reserved for it.
func (b *Batch) Next(to *Sent) *Bundle {
	p := &b.buffer.bundles[b.buffer.n]
	p.to, p.count, p.lost = to, 0, b.lost
	return p
}

// Put adds a packet with so many bytes of payload to what the bundle holds.
func (p *Bundle) Put(payload int) {
	p.sizes[p.count] = uint16(payload)
	p.count++
}

// Drop empties the bundle, which is not added then.
func (p *Bundle) Drop() { p.to = nil }

// Len is how many packets the bundle holds.
func (p *Bundle) Len() int { return p.count }

// Now is when the batch was opened, and Nanos the same in nanoseconds since 1970.
func (b *Batch) Now() time.Time { return b.now }

// Nanos is described at [Batch.Now].
func (b *Batch) Nanos() int64 { return b.nanos }

// AddBundle adds the next bundle, whose packets have the length of segment, but for the
// last.
func (b *Batch) AddBundle(packets []byte, to netip.AddrPort, segment int) {
	if isOverTCP(b.tcp, to) {
		b.sendOverTCP(packets, to, segment)
		return
	}
	b.buffer.messages[b.buffer.n] = udpbatch.Message{Buf: packets, Addr: to, Segment: segment}
	b.buffer.n++
}

// sendOverTCP gives the next bundle's packets to a TCP connection, which does not wait.
// What it has no place for is dropped.
func (b *Batch) sendOverTCP(packets []byte, to netip.AddrPort, segment int) {
	p := &b.buffer.bundles[b.buffer.n]
	sent := 0
	for ; sent < p.count; sent++ {
		n := len(packets)
		if segment > 0 {
			n = min(n, segment)
		}
		if !b.tcp.Send(packets[:n], to) {
			break
		}
		packets = packets[n:]
	}
	p.lose(p.count - sent)
	p.to = nil
}

// send sends what there is. What can't be sent now is dropped.
func (b *Batch) send() {
	buf := b.buffer
	done, err := b.writer.WriteBatch(buf.messages[:buf.n])
	for i := range buf.n {
		m, p := &buf.messages[i], &buf.bundles[i]
		if p.to == nil {
			continue
		}
		sent := 0
		if err == nil || i < done || i == done && errors.Is(err, udpbatch.ErrFull) {
			sent = m.Datagrams()
		}
		p.lose(p.count - sent)
		p.to = nil
	}
	buf.n = 0
	buf.arena.Reset()
}

// lose takes the last n packets from what was sent.
func (p *Bundle) lose(n int) {
	n = min(max(n, 0), p.count)
	for _, size := range p.sizes[p.count-n : p.count] {
		p.to.Packets.Add(^uint64(0))
		p.to.Bytes.Add(-uint64(size))
	}
	*p.lost += uint64(n)
}

// Flush sends what there is, and ends the batch.
func (b *Batch) Flush() {
	if b.opened {
		b.send()
		b.opened = false
	}
}
