// Package cast is the people of a run whom one process plays: they come into the rooms, speak
// and listen, do what the timeline says, come back when they lose something, and leave.
//
// A [Cast] is used in the order of a run: [New], then [Cast.Open] or, where several processes
// play one run, [Cast.Enter] and [Cast.TakeStages]; [Cast.Arrive], [Cast.PlayEvent],
// [Cast.Depart], [Cast.Stop], [Cast.EndMeasuring], and [Cast.Leave] in any case. What a
// process plays of a run is its [Share], a pure function of the scenario; with the [Others] it
// agrees on what is done once in a room. What people hear goes into the ledgers of their rooms
// and the run's aggregator; what else is counted is in [Cast.Tally] and [Cast.Final].
//
// Open, Enter, TakeStages, Arrive, Depart, Stop and Leave are steps: one goroutine calls them,
// one after the other. All else may be called beside them, by any goroutine, as soon as the
// rooms are there. Each person has goroutines of their own. They have ended when Arrive,
// Depart, PlayEvent, [Reopenings.End] and Leave have returned.
package cast
