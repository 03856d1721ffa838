package doubt

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-audio/earshot/internal/atomicmax"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A doubtful time.
type doubt struct {
	kind        Kind
	room        int    // its number among the run's, from 1; 0: all rooms
	voices      Voices // of the room, or every
	from, until time.Duration
	took        time.Duration // of it, what something may have taken longer for it
}

// A Register books what is in doubt in a run. It is safe for concurrent use; its locks are
// held by no caller, and none is taken while another is held. Its memory does not grow with the
// length of the run. Its methods are those that book (this file) and those that say how much of a
// time is in doubt, and what for (blame.go, sum.go).
type Register struct {
	// Cores is what the server's cores were taken for, and Stops the stops after which sessions
	// may be missing.
	Cores Cores
	Stops Stops

	frames, late, latest atomic.Int64
	any                  atomic.Bool // a join or a jitter buffer may be in doubt

	mu     sync.Mutex
	list   []doubt
	counts [kinds]int
	// For how long threads were kept from running in all.
	throttled time.Duration
}

// maxDoubts bounds the list of doubtful times. Beyond, neighbours become one.
const maxDoubts = 1024

// Book books a time in which what is measured is in doubt. It is called within a second.
func (d *Register) Book(kind Kind, from, until time.Duration) {
	d.book(doubt{kind: kind, from: from, until: until, took: until - from})
}

// Contend books a time in which others took the cores, and for how long in all threads
// of generator and server waited for them: a join took no more longer than that.
func (d *Register) Contend(from, until, waited time.Duration) {
	d.book(doubt{kind: Contended, from: from, until: until, took: min(waited, until-from)})
}

func (d *Register) book(one doubt) {
	d.Stops.book(one)
	d.mu.Lock()
	d.counts[one.kind]++
	d.enter(one)
	d.mu.Unlock()
	d.any.Store(true)
}

// Starve books for how long in all the generator's threads waited for a core, as was
// known with the end of a time. A wait that was over by then may have begun before it, by
// as much. From half of the time on it may have made a join longer; less adds up over many
// threads, and says something of what took long alone.
func (d *Register) Starve(from, until, waited time.Duration) {
	if waited <= 0 || until <= from {
		return
	}
	much := 2*waited >= until-from
	from = max(0, from-min(waited, BookedWithin))
	if much {
		d.book(doubt{kind: Withheld, from: from, until: until, took: min(waited, until-from)})
	}
	d.book(doubt{kind: Starved, from: from, until: until, took: min(waited, until-from)})
}

// Throttle books that a quota kept the generator's threads from running for so long in
// [from, until), summed over cores: joins may have taken longer. The kernel stamps packets
// all the same, and what was sent late is booked by the frame.
func (d *Register) Throttle(from, until, took time.Duration) {
	if took <= 0 || until <= from {
		return
	}
	d.mu.Lock()
	d.throttled += took
	d.mu.Unlock()
	d.book(doubt{kind: Withheld, from: from, until: until, took: min(took, until-from)})
}

// Compete books that a server waited for cores of its machine for so long in [from, until), summed over
// its threads, while the generator or others ran on them, and by how much it may be behind for that: by no
// more can a packet of that time be late through them. What waits is kept, as long as buffers hold it. What a
// thread waited is known when it runs again, so that it may have been a little before.
//
// Always means that it may have been behind all the time, since no core was free. It is called within a second, and also where
// the server is not behind.
func (d *Register) Compete(from, until, waited, behind time.Duration, always bool) Competition {
	one := Competition{period{max(0, from-competeLag), until}, waited, behind, always && behind > 0}
	d.Cores.compete(one)
	if behind >= timebase.BinLength {
		d.any.Store(true)
	}
	return one
}

// Steal books that a hypervisor took the machine's cores for so long in [from, until), in
// which they were idle for a share of the time. While a core is taken nothing runs on it,
// nor are packets stamped that come; then it has to catch up. So it is in doubt whose
// fault the latest packets are, for no longer than that, and for no more of them than came
// until it had. It is called within a second.
func (d *Register) Steal(from, until, took time.Duration, idle float64) Theft {
	one := d.Cores.steal(from, until, took, idle)
	d.book(doubt{kind: Withheld, from: from, until: until, took: min(took, until-from)})
	return one
}

// enter adds a doubtful time, as one with the last of its kind and room where they touch.
// If the list is full, it becomes one with the last of its kind, of all rooms then. d.mu is
// held.
func (d *Register) enter(next doubt) {
	full := len(d.list) >= maxDoubts
	for i := len(d.list) - 1; i >= 0; i-- {
		last := &d.list[i]
		if last.kind != next.kind || last.room != next.room && !full {
			continue
		}
		apart := next.kind == Contended || next.kind == Withheld || next.kind == Starved // each has a size
		if next.from <= last.until && !apart || full {
			last.voices |= next.voices
			if last.room != next.room {
				last.room, last.voices = 0, EveryVoice
			}
			last.from, last.until = min(last.from, next.from), max(last.until, next.until)
			last.took = min(last.took+next.took, last.until-last.from)
			return
		}
		break
	}
	d.list = append(d.list, next)
}

// Sent books how late a frame of a voice in a room went out.
func (d *Register) Sent(room int, voice Voices, at, late time.Duration) {
	d.frames.Add(1)
	if late > LateDoubt {
		d.late.Add(1)
		d.LateBy(room, voice, at, late)
	}
}

// Delayed books that a frame, which was late before, went out later than that.
func (d *Register) Delayed(room int, voice Voices, at, before, late time.Duration) {
	if before <= LateDoubt {
		d.late.Add(1)
	}
	d.LateBy(room, voice, at, late)
}

// LateBy books the time by which a frame went out late that is counted elsewhere.
func (d *Register) LateBy(room int, voice Voices, at, late time.Duration) {
	atomicmax.Raise(&d.latest, int64(late))
	if late > PlayDoubt {
		if late >= Aftermath {
			voice = EveryVoice // for so long nothing is heard of it, so it is not known who would have
		}
		d.mu.Lock()
		d.enter(doubt{Late, room, voice, at, at + late, late})
		d.mu.Unlock()
		d.any.Store(true)
	}
}

// Latest is how late a frame went out at most so far.
func (d *Register) Latest() time.Duration { return time.Duration(d.latest.Load()) }

// Any reports whether a join, or what jitter buffers played, may be in doubt at any time.
func (d *Register) Any() bool { return d.any.Load() }
