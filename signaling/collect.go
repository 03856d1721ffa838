package signaling

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/fanout"
)

// mediaStats are what rooms' media have counted.
type mediaStats struct {
	received, muted, unheard, sent, failed, overflow uint64
}

func (m *mediaStats) add(o mediaStats) {
	m.received += o.received
	m.muted += o.muted
	m.unheard += o.unheard
	m.sent += o.sent
	m.failed += o.failed
	m.overflow += o.overflow
}

// mediaStats returns what this room's media has counted so far.
func (l *live) mediaStats() mediaStats {
	return fromFanout(l.media.Stats())
}

func fromFanout(s fanout.Stats) mediaStats {
	return mediaStats{received: s.Pushed, muted: s.Muted, unheard: s.Unheard, sent: s.Sent, failed: s.Failed, overflow: s.Overflow}
}

// mediaStats returns what all rooms there have been have counted. It never goes
// down: a room that is torn down is moved to the past in one step.
func (h *hub) mediaStats() mediaStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum := h.past
	for l := range h.standing {
		sum.add(l.mediaStats())
	}
	return sum
}

// headcount is who and what is in a room.
type headcount struct {
	roles      map[room.Role]int
	mics, ears int
	// connected is how many of both have completed ICE and DTLS.
	connected int
	// away is how many people's WebSockets are lost, and overflow how many sit in
	// other halls than the first.
	away, overflow int
}

func (l *live) headcount(into *headcount) {
	l.mu.Lock()
	defer l.mu.Unlock()
	into.roles[room.Listener] += l.rules.Audience()
	for _, m := range l.rules.Stage() {
		into.roles[m.Role]++
	}
	into.overflow += l.rules.Audience() - l.rules.Halls()[0]
	for _, p := range l.people {
		into.away += one(p.out == nil && !p.solo())
		if p.mic != nil {
			into.mics++
			into.connected += one(p.mic.Stats().Connected)
		}
		if p.ear != nil {
			into.ears++
			into.connected += one(p.ear.Stats().Connected)
		}
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// collector counts, when Prometheus asks, what the rooms hold.
type collector struct {
	server *Server
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("earshot_"+name, help, labels, nil)
}

var (
	descRooms   = desc("rooms", "Rooms that are open.")
	descMembers = desc("members", "People in rooms, by role.", "role")
	descAway    = desc("members_away", "People whose WebSocket is lost and who may come back.")
	descOver    = desc("members_overflow", "Listeners who sit in an overflow hall.")
	descWrong   = desc("roster_mismatches", "Media, roster and rules that do not agree now: always 0.")
	descMics    = desc("mics", "Mics that are open.")
	descEars    = desc("ears", "Ears that are open.")
	descUp      = desc("media_sessions_connected", "Mics and ears that have completed ICE and DTLS.")
	descIn      = desc("media_packets_received_total", "Media packets received from mics.")
	descOut     = desc("media_packets_sent_total", "Media packets that ears took.")
	descDropped = desc("media_packets_dropped_total",
		"Media packets dropped, by reason: muted and unheard (no slot) are a mic's packets, "+
			"failed are those one ear could not take, overflow those dropped for all ears of a shard that was too far behind.", "reason")
	descAddresses = desc("media_addresses", "Addresses that authentic ICE checks have come from, a few for each mic and ear.")
	descRefused   = desc("media_datagrams_refused_total",
		"Datagrams turned down at the media port, by reason: unknown (from and for nobody), unauthentic, "+
			"malformed (nothing of WebRTC), overrun (for mics, faster than they could be taken), "+
			"excess (packets of mics that came faster than any speech).", "reason")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRooms, descMembers, descAway, descOver, descWrong, descMics, descEars, descUp, descIn, descOut, descDropped, descAddresses, descRefused} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	rooms := c.server.hub.list()
	heads := headcount{roles: make(map[room.Role]int)}
	wrong := 0
	for _, l := range rooms {
		l.headcount(&heads)
		wrong += l.mismatches()
	}
	gauge(descRooms, len(rooms))
	for _, role := range []room.Role{room.Listener, room.Speaker, room.Host} {
		gauge(descMembers, heads.roles[role], role.String())
	}
	gauge(descAway, heads.away)
	gauge(descOver, heads.overflow)
	gauge(descWrong, wrong)
	gauge(descMics, heads.mics)
	gauge(descEars, heads.ears)
	gauge(descUp, heads.connected)

	media := c.server.hub.mediaStats()
	counter(descIn, media.received)
	counter(descOut, media.sent)
	counter(descDropped, media.muted, "muted")
	counter(descDropped, media.unheard, "unheard")
	counter(descDropped, media.failed, "failed")
	counter(descDropped, media.overflow, "overflow")

	port := c.server.cfg.Media.Stats()
	gauge(descAddresses, port.Addresses)
	counter(descRefused, port.Unknown, "unknown")
	counter(descRefused, port.Unauthentic, "unauthentic")
	counter(descRefused, port.Malformed, "malformed")
	counter(descRefused, port.Overrun, "overrun")
	counter(descRefused, port.Excess, "excess")
}
