// Package stagelog holds the latest changes of a room's stage, so that who has missed some is told those
// alone.
package stagelog

import (
	"slices"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// length is how many participants' changes a log holds.
const length = 128

// A Log numbers the changes of a stage and holds the latest, one for each participant. Its
// owner's lock guards it.
type Log struct {
	// revision is the number of the last change, and oldest that of the last one that
	// is no longer held.
	revision, oldest uint64
	entries          []entry
}

type entry struct {
	revision uint64
	change   wire.StageChange
}

// New returns a log whose numbers begin after the given one. Rooms begin
// at the time in milliseconds, so that a restarted room's numbers are greater than
// all earlier ones.
func New(revision uint64) Log { return Log{revision: revision, oldest: revision} }

// Revision is the number of the last change.
func (l *Log) Revision() uint64 { return l.revision }

// Add numbers a change.
func (l *Log) Add(change wire.StageChange) {
	l.revision++
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool { return e.change.Member == change.Member })
	if len(l.entries) == length {
		l.oldest = l.entries[0].revision
		l.entries = slices.Delete(l.entries, 0, 1)
	}
	l.entries = append(l.entries, entry{l.revision, change})
}

// Since returns the changes after a revision, and whether the log holds all of
// them.
func (l *Log) Since(revision uint64) ([]wire.StageChange, bool) {
	if revision < l.oldest || revision > l.revision {
		return nil, false
	}
	var changes []wire.StageChange
	for _, e := range l.entries {
		if e.revision > revision {
			changes = append(changes, e.change)
		}
	}
	return changes, true
}
