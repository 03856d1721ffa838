package liveroom

import (
	"slices"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// changeLogLength is how many participants' changes a log holds.
const changeLogLength = 128

// changeLog numbers the changes of a stage and holds the latest, one for each
// participant, for those who have missed some. The room's lock guards it.
type changeLog struct {
	// revision is the number of the last change, and oldest that of the last one that
	// is no longer held.
	revision, oldest uint64
	entries          []logEntry
}

type logEntry struct {
	revision uint64
	change   wire.StageChange
}

// newChangeLog returns a log whose numbers begin after the given one. Rooms begin
// at the time in milliseconds, so that a restarted room's numbers are greater than
// all earlier ones.
func newChangeLog(revision uint64) changeLog { return changeLog{revision: revision, oldest: revision} }

func (l *changeLog) add(change wire.StageChange) {
	l.revision++
	l.entries = slices.DeleteFunc(l.entries, func(e logEntry) bool { return e.change.Member == change.Member })
	if len(l.entries) == changeLogLength {
		l.oldest = l.entries[0].revision
		l.entries = slices.Delete(l.entries, 0, 1)
	}
	l.entries = append(l.entries, logEntry{l.revision, change})
}

// since returns the changes after a revision, and whether the log holds all of
// them.
func (l *changeLog) since(revision uint64) ([]wire.StageChange, bool) {
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
