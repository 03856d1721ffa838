package udpbatch

import (
	"os"

	"golang.org/x/sys/unix"
)

// A place is a number of datagrams of one message of a batch, which leave as one
// message of the kernel's.
type place struct {
	message    int
	from, size int // in its Buf
	datagrams  int
}

func (c *batching) WriteBatch(ms []Message) (int, error) {
	h := c.take()
	defer c.put(h)
	w := writing{batching: c, headers: h, ms: ms, split: -1}
	h.grow(min(w.count(), maxBatch))
	for w.next.message < len(ms) {
		encoded := w.encode()
		if err := w.send(); err != nil {
			return h.places[h.from].message, err
		}
		if !encoded {
			w.refuse(w.next)
			w.next = place{message: w.next.message + 1}
		}
	}
	return len(ms), nil
}

// writing is one call of WriteBatch.
type writing struct {
	*batching
	*headers
	ms   []Message
	next place // what is to be encoded next: from and message count

	// split is the message that goes out one datagram at a time, because it was
	// refused with several, and why it was; -1: none.
	split  int
	reason error
}

// count is how many messages of the kernel's the batch takes.
func (w *writing) count() int {
	n := 0
	for i := range w.ms {
		m := &w.ms[i]
		n++
		if step := w.step(m); step > 0 && len(m.Buf) > step {
			n += (len(m.Buf) - 1) / step
		}
	}
	return n
}

// step is how many bytes of a message go out together, or 0: all of them.
func (w *writing) step(m *Message) int {
	switch {
	case m.Segment <= 0 || m.Segment >= len(m.Buf):
		return 0
	case w.single.Load():
		return m.Segment
	}
	return m.Segment * max(1, min(maxSegments, maxPayload/m.Segment))
}

// encode prepares the sending of what is next, as far as one call goes. It reports
// false if it has stopped before a message that the socket can't even express.
func (w *writing) encode() bool {
	h, c := w.headers, w.batching
	h.from, h.to = 0, 0
	for w.next.message < len(w.ms) && h.to < len(h.messages) {
		i, m := h.to, &w.ms[w.next.message]
		header := &h.messages[i].Hdr
		if header.Namelen = setAddress(&h.names[i], m.Addr, c.platform.v6); header.Namelen == 0 {
			return false
		}
		used, err := c.platform.source(h.control(i), m.Local)
		if err != nil {
			return false
		}
		p := w.place(m)
		if p.datagrams > 1 {
			setSegment(h.control(i)[used:], m.Segment)
			used += segmentControl
		}
		header.SetControllen(used)
		h.buffer(i, m.Buf[p.from:p.from+p.size])
		h.places[i] = p
		h.to++
		if w.next.from = p.from + p.size; w.next.from >= len(m.Buf) {
			w.next = place{message: p.message + 1}
		}
	}
	return true
}

// place is as much of a message as goes out together, from what is next on.
func (w *writing) place(m *Message) place {
	p := w.next
	if p.from == 0 {
		m.N = len(m.Buf) // less what is refused
	}
	p.size, p.datagrams = len(m.Buf)-p.from, 1
	if step := w.step(m); step > 0 {
		if p.message == w.split {
			step = m.Segment
		}
		p.size = min(p.size, step)
		p.datagrams = m.count(p.size)
	}
	return p
}

// send sends what is encoded.
func (w *writing) send() error {
	h := w.headers
	tried, refused := 0, 0 // datagrams of the message that is split
	for h.from < h.to {
		h.errno = 0
		was := h.from
		// Control and not Write: that would let one writer in at a time, and
		// wait for the other's call.
		if err := w.socket.Control(h.send); err != nil {
			return err
		}
		for _, p := range h.places[was:h.from] {
			if p.message == w.split {
				tried++
			}
		}
		switch {
		case h.errno == 0 || h.errno == unix.EINTR:
		case full(h.errno):
			w.cut(h.places[h.from])
			return ErrFull
		case h.errno == unix.EBADF || h.errno == unix.ENOTSOCK || h.errno == unix.EFAULT || h.errno == unix.ENOSYS:
			return os.NewSyscallError("sendmmsg", h.errno)
		case h.places[h.from].datagrams > 1 && refusesSegments(h.errno):
			// Its datagrams, and what comes after them, are encoded once more.
			w.next = h.places[h.from]
			w.split, w.reason = w.next.message, os.NewSyscallError("sendmmsg with UDP_SEGMENT", h.errno)
			h.to = h.from
		default:
			if h.places[h.from].message == w.split {
				tried, refused = tried+1, refused+1
			}
			w.refuse(h.places[h.from])
			h.from++
		}
	}
	if tried > refused { // so it was the segments that were refused, not the message
		w.unsegmented(w.reason)
	}
	return nil
}

// refuse takes what the kernel has refused from what was sent.
func (w *writing) refuse(p place) {
	m := &w.ms[p.message]
	if p.datagrams == 0 { // it was not even encoded
		p.size, p.datagrams, m.N = len(m.Buf), m.datagrams(), len(m.Buf)
	}
	if m.N -= p.size; m.N <= 0 {
		m.N = -1
	}
	w.refused.Add(uint64(p.datagrams))
}

// cut takes what found no room, from there to the end of its message, from what was
// sent.
func (w *writing) cut(p place) {
	m := &w.ms[p.message]
	m.N = max(0, m.N-(len(m.Buf)-p.from))
}

// unsegmented has messages go out one datagram at a time from now on.
func (c *batching) unsegmented(reason error) {
	if !c.single.Swap(true) && c.fallback != nil {
		c.fallback(reason)
	}
}
