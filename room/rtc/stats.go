package rtc

// EngineStats are what an engine knows of the other side of its port, and what it
// has turned down there since its start.
type EngineStats struct {
	// Peers are the ears and mics that are open or waited for, Addresses where
	// authentic checks for them come from: a few for each.
	Peers, Addresses int
	// Unknown counts datagrams from and for nobody, Unauthentic those that
	// failed their authentication, Malformed those that are nothing of WebRTC,
	// Overrun those for mics that came faster than they could be taken, and
	// Excess packets of mics that were authentic and came faster than any speech.
	Unknown, Unauthentic, Malformed, Overrun, Excess uint64
}

// EngineStats reads the counts. Of what mics receive Pion is the judge, and it does
// not count.
func (e *Engine) Stats() EngineStats {
	ears := e.lite.Stats()
	mics, addresses := e.routes.size()
	return EngineStats{
		Peers: ears.Peers + mics, Addresses: ears.Addresses + addresses,
		Unknown: ears.Unknown, Unauthentic: ears.Unauthentic, Malformed: ears.Malformed,
		Overrun: e.branch.dropped.Load(), Excess: e.excess.Load(),
	}
}
