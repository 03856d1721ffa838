package doubt

import "math"

// Voices is a set of a room's sources: a bit each, of the first 63; the others share the last.
type Voices uint64

// EveryVoice is all of them.
const EveryVoice Voices = math.MaxUint64

// VoiceOf is the set of a source, by its number in the room.
func VoiceOf(source int) Voices { return 1 << min(source, 63) }
