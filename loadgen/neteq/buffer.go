package neteq

import (
	"time"

	"github.com/earshot-audio/earshot/internal/prefetch"
)

// FrameLength is the length of a frame of the stream: 20 ms of Opus.
const FrameLength = 20 * time.Millisecond

const (
	// tick is how often NetEQ is asked for sound, and the resolution of its clock.
	tick = 10 * time.Millisecond
	// stretchPause is how long NetEQ waits after a time-stretching operation
	// before the next: kMinTimescaleInterval, in ticks.
	stretchPause = 5
	// stretchNeeds is how much decoded sound an operation needs. It works on 30 ms,
	// and takes the rest from what has been played.
	stretchNeeds = 20 * time.Millisecond
	// stretchStep is how much sound an operation adds or removes. NetEQ takes one
	// pitch period of 2.5 to 15 ms; this is the middle for speech.
	stretchStep = 8 * time.Millisecond
	// adjustment is the granularity of NetEQ's changes of the delay:
	// kDelayAdjustmentGranularityMs.
	adjustment = 20 * time.Millisecond
	// earlyWindow is by how much the buffer may exceed the target before a frame
	// that follows a gap is played early: kTargetLevelWindowMs / 2.
	earlyWindow = 50 * time.Millisecond
	// fadedAfter is how long a concealment lasts before its volume is below one
	// half, from when on NetEQ waits for half of the target delay before it plays
	// on: kPostponeDecodingLevel. It depends on the signal; this is for voiced
	// speech.
	fadedAfter = 90 * time.Millisecond
	// reset is from which jump of the time stamps on the stream is a new one.
	reset = 5 * time.Second
	// ringFrames is how many frames the buffer can hold: over 5 s.
	ringFrames = 512
	// gapLength is from which length on a concealment is a gap: after 60 ms
	// ITU-T G.711 appendix I has faded its concealment to silence.
	gapLength = 60 * time.Millisecond
)

// Stats are what a buffer did with its stream.
type Stats struct {
	// Played is the number of frames that were played, and Delay the sum over
	// them of the time from their media time to their play-out.
	Delay  time.Duration
	Played uint64
	// Concealed is how long the buffer invented sound while a frame was due.
	Concealed time.Duration
	// Runs is the number of stretches of concealment, and Gaps of those of 60 ms
	// and more, which together lasted Frozen.
	Runs, Gaps uint64
	Frozen     time.Duration
	// Copies is how many of the frames played came as the copy in a later one only, and
	// Redundant how many of those were copies to the bit.
	Copies, Redundant uint64
	// Late is the number of frames that came after their place had been passed.
	Late uint64
	// Inserted and Removed are what time stretching added and took away.
	Inserted, Removed time.Duration
}

// A Schedule knows which frames count. It is an interface and not a function, since the
// memory of a function's variables is one more to wait for.
type Schedule interface {
	// Due reports whether a frame counts: whether somebody spoke in it, and it lies in
	// the measured time.
	Due(frame int64) bool
	// Passed is told when the buffer comes to the first frame of another part of
	// [PartFrames] frames, and what it has done up to then.
	Passed(frame int64, s Stats)
}

// PartFrames is how many frames belong to a part of the stream: 1.28 s.
const PartFrames = 64

// A Buffer is the jitter buffer of one RTP stream. The zero Buffer is empty and
// ready for use. Most of its methods are a step of NetEQ's decision each.
type Buffer struct {
	// Schedule says which of the frames that the buffer plays or conceals count. If it
	// is nil, all do.
	Schedule Schedule

	// The fields that every frame needs are next to each other: see Prefetch.
	started    bool
	concealing bool
	now        int64         // ticks done
	target     int64         // the next frame to decode
	nextPart   int64         // where the next part begins
	decoded    time.Duration // sound that is decoded and not played yet
	count      int           // frames held
	newest     int64         // of the frames held
	// arrived is the tick at which the newest frame came.
	arrived   int64
	generated time.Duration // sound invented in the present stretch
	run       time.Duration // of it, while a frame was due
	pause     int           // ticks until the next time stretching
	held      [ringFrames / 64]uint64
	delays    delays
	stats     Stats

	copied [ringFrames / 64]uint64 // of held, those of which there is a copy only
	copies int
	exact  [ringFrames / 64]uint64 // of copied, those that are the same to the bit
}

// Prefetch asks for the memory that the next frame takes.
func (b *Buffer) Prefetch() { prefetch.Span(&b.Schedule, &b.stats.Played) }

// Stats returns what the buffer did so far.
func (b *Buffer) Stats() Stats { return b.stats }

// Target is the delay that the buffer aims at.
func (b *Buffer) Target() time.Duration { return b.delays.target() }

// Arrive enters a frame that arrived at a moment, after it has played what was
// due until then. Moments do not go back. Media time and moments are on one
// clock: frame n has the media time n · [FrameLength], and n is not negative.
func (b *Buffer) Arrive(frame int64, at time.Duration) {
	b.Advance(at)
	switch {
	case !b.started:
		b.start(frame, at)
	case frame < b.target-int64(reset/FrameLength), frame >= b.target+int64(reset/FrameLength) && b.generated < reset/2:
		b.endRun()
		b.start(frame, at)
	case frame >= b.target+ringFrames:
		// The talker paused for longer than the ring holds.
		b.skip(frame)
	}
	b.delays.arrive(frame, time.Duration(b.now)*tick)
	if frame < b.target {
		b.stats.Late++
		return
	}
	word, bit := frame/64%int64(len(b.held)), uint64(1)<<uint(frame%64)
	if b.held[word]&bit != 0 {
		if b.copied[word]&bit != 0 { // the frame itself is better
			b.copied[word] &^= bit
			b.copies--
		}
		return
	}
	b.held[word] |= bit
	if b.count == 0 || frame > b.newest {
		b.newest, b.arrived = frame, b.now
	}
	b.count++
}

// ArriveCopy enters a frame of which the one that arrived last held a copy: in-band
// forward error correction or, if it is exact, redundant audio. NetEQ keeps it as it keeps
// a frame, unless it has the frame itself, and learns nothing of delays from it. An exact
// copy is better than another.
func (b *Buffer) ArriveCopy(frame int64, exact bool) {
	if !b.started || frame < b.target || frame >= b.target+ringFrames || b.count == 0 || frame >= b.newest {
		return
	}
	word, bit := frame/64%int64(len(b.held)), uint64(1)<<uint(frame%64)
	if b.held[word]&bit != 0 {
		if exact {
			b.exact[word] |= bit & b.copied[word]
		}
		return
	}
	b.held[word] |= bit
	b.copied[word] |= bit
	b.exact[word] &^= bit
	if exact {
		b.exact[word] |= bit
	}
	b.count++
	b.copies++
}

// start begins a stream with a frame.
func (b *Buffer) start(frame int64, at time.Duration) {
	*b = Buffer{Schedule: b.Schedule, stats: b.stats, started: true, now: int64(at / tick), target: frame}
}

// skip passes over a pause of the talker.
func (b *Buffer) skip(to int64) {
	b.held, b.count = [len(b.held)]uint64{}, 0
	b.copied, b.copies = [len(b.copied)]uint64{}, 0
	b.generated += time.Duration(to-b.target)*FrameLength - b.generated
	b.target = to
}

// Advance plays what is due until a moment.
func (b *Buffer) Advance(until time.Duration) {
	if !b.started {
		return
	}
	for last := int64(until / tick); b.now < last; {
		b.now++
		b.play()
	}
}

// End closes the stretch of concealment that lasts, if there is one.
func (b *Buffer) End() { b.endRun() }

// play makes 10 ms of sound.
func (b *Buffer) play() {
	next, ok := b.next()
	switch {
	case !ok, b.postpones():
		b.starve()
	case next == b.target:
		b.expected()
	case b.early(next):
		b.starve()
	case b.concealing:
		b.target = next
		b.decode()
		b.normal()
	default:
		b.starve()
	}
	if b.pause > 0 {
		b.pause--
	}
}

// next is the first frame that is held, from the target on.
func (b *Buffer) next() (int64, bool) {
	if b.count == 0 {
		return 0, false
	}
	if b.held[b.target/64%int64(len(b.held))]>>uint(b.target%64)&1 != 0 {
		return b.target, true
	}
	for f := b.target; f <= b.newest; {
		word := b.held[f/64%int64(len(b.held))] >> uint(f%64)
		if word&1 != 0 {
			return f, true
		}
		if word == 0 {
			f = (f/64 + 1) * 64
		} else {
			f++
		}
	}
	return 0, false
}

// waiting is how much the buffer holds: the span of its frames and the time that
// the newest has waited. NetEQ calls it span_samples_wait_time.
func (b *Buffer) waiting() time.Duration {
	first, ok := b.next()
	if !ok {
		return 0
	}
	return time.Duration(b.newest-first)*FrameLength + time.Duration(b.now-b.arrived)*tick
}

// postpones reports whether a long concealment goes on until there is enough in
// the buffer not to run dry at once.
func (b *Buffer) postpones() bool {
	return b.concealing && b.generated >= fadedAfter && b.waiting() < b.delays.target()/2
}

// early reports whether it is too early to pass over a gap to a frame.
func (b *Buffer) early(next int64) bool {
	leap := time.Duration(next-b.target) * FrameLength
	return leap > b.generated && b.waiting() <= b.delays.target()+earlyWindow
}

// expected plays on with the frame that comes next, which is there, and stretches
// time if the delay is not what it should be.
func (b *Buffer) expected() {
	if !b.concealing {
		playing := time.Duration(b.target)*FrameLength - b.decoded
		delay := time.Duration(b.now)*tick - playing - b.delays.fastest()
		low := b.delays.target()
		high := low + b.delays.greatest() + adjustment
		switch {
		case delay >= 4*high, b.pause == 0 && delay >= high:
			b.stretch(-stretchStep)
			b.stats.Removed += stretchStep
		case b.pause == 0 && delay < low:
			b.stretch(stretchStep)
			b.stats.Inserted += stretchStep
		}
	}
	b.normal()
}

// stretch adds to what is decoded, or removes of it. The target frame is there.
func (b *Buffer) stretch(by time.Duration) {
	if b.decoded < stretchNeeds {
		b.decode()
	}
	b.decoded += by
	b.pause = stretchPause + 1
}

// normal plays what is decoded, and decodes the next frame first if it must.
func (b *Buffer) normal() {
	for b.decoded < tick {
		next, ok := b.next()
		if !ok || next != b.target {
			b.conceal()
			return
		}
		b.decode()
	}
	b.endRun()
	b.concealing, b.generated = false, 0
	b.decoded -= tick
}

// starve plays what is decoded, and conceals once that is used up.
func (b *Buffer) starve() {
	if b.decoded >= tick {
		b.decoded -= tick
		return
	}
	b.conceal()
}

func (b *Buffer) conceal() {
	b.concealing = true
	frame := b.target + int64(b.generated/FrameLength)
	b.generated += tick
	if !b.due(frame) {
		b.endRun()
		return
	}
	b.run += tick
	b.stats.Concealed += tick
}

// due reports whether a frame counts that is played or concealed now.
func (b *Buffer) due(frame int64) bool {
	if b.Schedule == nil {
		return true
	}
	if frame >= b.nextPart {
		b.nextPart = (frame/PartFrames + 1) * PartFrames
		b.Schedule.Passed(frame, b.stats)
	}
	return b.Schedule.Due(frame)
}

// decode takes the target frame out of the buffer.
func (b *Buffer) decode() {
	word, bit := b.target/64%int64(len(b.held)), uint64(1)<<uint(b.target%64)
	b.held[word] &^= bit
	b.count--
	copied := b.copies > 0 && b.copied[word]&bit != 0
	if copied {
		b.copied[word] &^= bit
		b.copies--
	}
	if b.due(b.target) {
		if copied {
			b.stats.Copies++
			if b.exact[word]&bit != 0 {
				b.stats.Redundant++
			}
		}
		b.stats.Played++
		b.stats.Delay += time.Duration(b.now)*tick + b.decoded - time.Duration(b.target)*FrameLength
	}
	b.target++
	b.decoded += FrameLength
}

// endRun ends a stretch of concealment.
func (b *Buffer) endRun() {
	if b.run == 0 {
		return
	}
	b.stats.Runs++
	if b.run >= gapLength {
		b.stats.Gaps++
		b.stats.Frozen += b.run
	}
	b.run = 0
}
