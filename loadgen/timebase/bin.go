package timebase

import (
	"math"
	"time"
)

// BinLength is the length of a bin and of every Opus frame that a source sends.
const BinLength = 20 * time.Millisecond

// Bin counts bins of 20 ms from the start of the run's clock.
type Bin int64

// Start is the bin's first instant on the run's clock.
func (b Bin) Start() time.Duration { return time.Duration(b) * BinLength }

// BinAt is the bin that holds t; t is not negative.
func BinAt(t time.Duration) Bin { return Bin(t / BinLength) }

// Never is a bin after every run.
const Never = Bin(math.MaxInt64 / int64(BinLength) / 2)

// WordBins is how many bins are a word: so many are settled at once.
const WordBins = 64
