package record

import (
	"errors"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/loadgen/doubt"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// PartVersion is the version of the form of a [Part]. It rises with any change of it: only
// processes of one build play a run together.
const PartVersion = 5

// A Part is what one process of a run has measured in a stretch of time, as it goes over
// the wire. Everything in it adds up: the parts of all processes, in any order of the
// processes, come to the bit to what one process would have measured.
type Part struct {
	Version int `json:"v"`
	// Before is up to where nothing of the run will be told any more, and Ended when the
	// process ended the run; 0 while it goes on.
	Before  timebase.Bin  `json:"before"`
	Ended   time.Duration `json:"ended,omitempty"`
	Phases  []PartPhase   `json:"phases,omitempty"` // all of them so far
	Marks   []Mark        `json:"marks,omitempty"`
	Cells   []PartCell    `json:"cells,omitempty"`
	Words   []PartWord    `json:"words,omitempty"`
	Buckets []PartBucket  `json:"buckets,omitempty"`
	Drops   []doubt.Drop  `json:"drops,omitempty"`
	// Audiences are those of the rooms, at the end.
	Audiences []*PartAudience `json:"audiences,omitempty"`
	// Doubts is the process's of the run so far.
	Doubts doubt.Sum `json:"doubts"`
}

// A PartPhase is a phase or a named span.
type PartPhase struct {
	Name  string       `json:"name"`
	From  timebase.Bin `json:"from"`
	Until timebase.Bin `json:"until"`
}

// A PartBucket is what listeners received of the frames sent in a second or less.
type PartBucket struct {
	From     timebase.Bin     `json:"from"`
	Until    timebase.Bin     `json:"until"`
	Phases   uint64           `json:"phases"` // a bit each
	Cells    []PartBucketCell `json:"cells,omitempty"`
	Arrivals int              `json:"arrivals,omitempty"`
	Joins    int              `json:"joins,omitempty"`
	Left     int              `json:"left,omitempty"`
	SendLag  time.Duration    `json:"send_lag,omitempty"`
	Slowest  time.Duration    `json:"slowest,omitempty"`
}

// A PartBucketCell is that of the listeners with the labels of one cell of the part.
type PartBucketCell struct {
	Cell      int            `json:"cell"`
	Certain   *metric.Frozen `json:"certain,omitempty"`
	Worst     *metric.Frozen `json:"worst,omitempty"`
	Best      *metric.Frozen `json:"best,omitempty"`
	Resent    *metric.Frozen `json:"resent,omitempty"`
	Delivered metric.Rate    `json:"delivered"`
	Excused   uint64         `json:"excused,omitempty"`
	Droppable uint64         `json:"droppable,omitempty"`
	Ambiguous uint64         `json:"ambiguous,omitempty"`
}

// A PartCell is what has been entered of the listeners with some labels.
type PartCell struct {
	Labels
	Passes          uint64 `json:",omitempty"`
	Owed            uint64 `json:",omitempty"`
	Known           uint64 `json:",omitempty"`
	Unknown         uint64 `json:",omitempty"`
	Foreign         uint64 `json:",omitempty"`
	Elsewhere       uint64 `json:",omitempty"`
	Ambiguous       uint64 `json:",omitempty"`
	Mistimed        uint64 `json:",omitempty"`
	PerhapsMistimed uint64 `json:",omitempty"`
	WeakMarks       uint64 `json:",omitempty"`
	Cast            uint64 `json:",omitempty"`
	Heard           int64  `json:",omitempty"`
	LostJoins       int64  `json:",omitempty"`

	Received   uint64        `json:",omitempty"`
	Duplicates uint64        `json:",omitempty"`
	OutOfOrder uint64        `json:",omitempty"`
	LateJoins  uint64        `json:",omitempty"`
	FEC        CopiedRate    `json:",omitzero"`
	RED        CopiedRate    `json:",omitzero"`
	Joins      *metric.Trend `json:",omitempty"`
	Trends     []PartTrend   `json:",omitempty"`
	Listeners  []Heard       `json:",omitempty"`
}

// A PartTrend is one of the trends of closed accounts, by its place among them.
type PartTrend struct {
	Of    int           `json:"of"`
	Trend *metric.Trend `json:"trend"`
}

// A PartWord is listeners' opinion scores in the windows that end with a word of bins.
type PartWord struct {
	Window int           `json:"window"` // among those of the thresholds
	Word   int64         `json:"word"`
	Worst  *metric.Trend `json:"worst"`
	Best   *metric.Trend `json:"best"`
	// Allotted are, in the place of Best, of listeners who may have lost packets by drops, by
	// the allotment.
	Allotted []PartTrend `json:"allotted,omitempty"`
}

// maxRooms bounds the number of a room.
const maxRooms = 1 << 20

// all are the trends of closed accounts in a fixed order.
func (c *closed) all() []*metric.Trend {
	all := append(c.worst.all(), c.best.all()...)
	for i := range c.allotted {
		all = append(all, c.allotted[i].all()...)
	}
	all = append(all, c.steps.all()...)
	return append(all, &c.onsets, &c.onsetsBest, &c.onsetsUndropped, &c.joinsBest)
}

// check returns an error for a part that can't be.
func (p *Part) check() error {
	if p.Version != PartVersion {
		return fmt.Errorf("the part has version %d, and not %d", p.Version, PartVersion)
	}
	if len(p.Phases) > MaxPhases {
		return fmt.Errorf("the part has %d phases", len(p.Phases))
	}
	for _, b := range p.Buckets {
		if b.From < 0 || b.Until <= b.From || b.Until-b.From > bucketBins {
			return fmt.Errorf("the part has a bucket from %d to %d", b.From, b.Until)
		}
		for _, c := range b.Cells {
			if c.Cell < 0 || c.Cell >= len(p.Cells) {
				return fmt.Errorf("the part has a bucket of cell %d of %d", c.Cell, len(p.Cells))
			}
		}
	}
	return errors.Join(p.checkLosses(), p.checkListeners())
}

// checkLosses returns an error for drops or first words that can't be.
func (p *Part) checkLosses() error {
	for _, d := range p.Drops {
		if d.Until < d.From {
			return fmt.Errorf("the part has drops from %v to %v", d.From, d.Until)
		}
	}
	for _, w := range p.Words {
		for _, t := range w.Allotted {
			if t.Of < 0 || t.Of >= len(Allotments) || t.Trend == nil {
				return fmt.Errorf("the part has an allotment %d of %d", t.Of, len(Allotments))
			}
		}
	}
	return nil
}

// checkListeners returns an error for audiences or accounts that can't be.
func (p *Part) checkListeners() error {
	for _, a := range p.Audiences {
		if a == nil || a.Room < 0 || a.Room >= maxRooms {
			return errors.New("the part has the audience of a room that can't be")
		}
	}
	trends := len(new(closed).all())
	for _, c := range p.Cells {
		for _, t := range c.Trends {
			if t.Of < 0 || t.Of >= trends || t.Trend == nil {
				return fmt.Errorf("the part has a trend %d of %d", t.Of, trends)
			}
		}
	}
	return nil
}
