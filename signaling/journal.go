package signaling

import (
	"slices"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// journalLength is how many people's changes a journal remembers.
const journalLength = 128

// journal numbers the changes of a stage and remembers the latest, one for each
// person, for those who have missed some. The room's lock guards it.
type journal struct {
	// rev is the number of the last change, and floor that of the last which is
	// forgotten.
	rev, floor uint64
	entries    []revision
}

type revision struct {
	rev    uint64
	change wire.StageChange
}

// newJournal begins at a number. Rooms begin at the time, in milliseconds, so that
// the numbers of a room that was restarted are beyond all earlier ones.
func newJournal(at uint64) journal { return journal{rev: at, floor: at} }

func (j *journal) note(change wire.StageChange) {
	j.rev++
	j.entries = slices.DeleteFunc(j.entries, func(r revision) bool { return r.change.Member == change.Member })
	if len(j.entries) == journalLength {
		j.floor = j.entries[0].rev
		j.entries = slices.Delete(j.entries, 0, 1)
	}
	j.entries = append(j.entries, revision{j.rev, change})
}

// since returns the changes after a number, and whether all of them are known.
func (j *journal) since(rev uint64) ([]wire.StageChange, bool) {
	if rev < j.floor || rev > j.rev {
		return nil, false
	}
	var changes []wire.StageChange
	for _, r := range j.entries {
		if r.rev > rev {
			changes = append(changes, r.change)
		}
	}
	return changes, true
}
