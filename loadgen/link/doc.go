// Package link is what the coordinator of a run and its workers say to one another: the
// messages, and what brings them.
//
// A worker reports five times a second, and the coordinator answers all workers with news:
// [Report] and [News]. They are numbered, so that a lost one is noticed; by [Silence] each
// knows when the other side is gone. An [Order] goes from one worker to the one that owns a
// room. What workers agree on, or choose together, goes as offers: [Meeting], [Merged].
//
// A [Link] is a worker's end and a [Hub] the coordinator's; package workers has both, over
// the network. They are safe for concurrent use. Messages are values: who has sent one does
// not change it any more.
package link
