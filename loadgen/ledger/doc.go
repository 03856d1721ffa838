// Package ledger accounts for what every listener of a run really received.
//
// All sources of a run share one grid of 20 ms bins: source i sends the frame of bin
// b at b·20 ms plus its own offset, which is under 20 ms. A sent packet is
// therefore named by (source, bin), and a listener's account is a bit for each
// such name. A [Ledger] keeps what was sent in one room, a [Listener] ties
// each packet it receives to one entry of the ledger, by the packet's payload
// and its position, and [Ledger.Settle] compares the two. A [Book] has the ledgers
// of a run. The figures go to a [record.Aggregator].
//
// Nothing is added to the audio. A payload alone does not name a frame, since
// files loop and silence is all alike; so the RTP timestamps are followed from
// one identified frame to the next, and packets that fit several entries wait
// until a later one decides.
//
// Times are [time.Duration]s on the run's [timebase.Clock], whose zero is the start of
// bin 0.
//
// Each listener has a lock, which is held while a packet is entered and while the account is
// settled; what it takes of sources is atomic. The locks of the record and of the doubts are taken
// within it, and never the other way round; no listener's lock is taken within another's.
package ledger
