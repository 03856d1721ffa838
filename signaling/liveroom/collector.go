package liveroom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/fanout"
)

// mediaTotals are the packets that rooms' media have counted.
type mediaTotals struct {
	received, muted, unheard, sent, failed, overflow uint64
}

func (m *mediaTotals) add(s fanout.Stats) {
	m.received += s.Pushed
	m.muted += s.Muted
	m.unheard += s.Unheard
	m.sent += s.Sent
	m.failed += s.Failed
	m.overflow += s.Overflow
}

// mediaTotals returns what all rooms have counted, those that have ended included,
// so that it never goes down.
func (r *Registry) mediaTotals() mediaTotals {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := r.retired
	for l := range r.standing {
		sum.add(l.Media.stats())
	}
	return sum
}

// headcount counts who and what is in rooms.
type headcount struct {
	roles      map[room.Role]int
	mics, ears int
	// connected is how many of both have completed ICE and DTLS.
	connected int
	// disconnected is how many participants' WebSockets are lost, and overflow how
	// many sit in other halls than the first.
	disconnected, overflow int
}

func (h *headcount) add(l *LiveRoom) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.roles[room.Listener] += l.rules.Audience()
	for _, m := range l.rules.Stage() {
		h.roles[m.Role]++
	}
	h.overflow += l.rules.Audience() - l.rules.Halls()[0]
	for _, p := range l.roster.participants {
		h.disconnected += one(p.disconnected())
		if p.mic != nil {
			h.mics++
			h.connected += one(p.mic.Stats().Connected)
		}
		if p.ear != nil {
			h.ears++
			h.connected += one(p.ear.Stats().Connected)
		}
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// collector counts what the rooms hold when Prometheus asks.
type collector struct {
	rooms *Registry
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("earshot_"+name, help, labels, nil)
}

var (
	descRooms   = desc("rooms", "Rooms that are open.")
	descMembers = desc("members", "People in rooms, by role.", "role")
	descAway    = desc("members_away", "People whose WebSocket is lost and who may come back.")
	descOver    = desc("members_overflow", "Listeners who sit in an overflow hall.")
	descWrong   = desc("roster_mismatches", "Media, roster and rules that do not agree, by the last check of each room: always 0.")
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
	descTCP        = desc("media_tcp_connections", "Connections to the TCP port of media that are open.")
	descTCPDropped = desc("media_tcp_dropped_total", "Datagrams for TCP connections that did not take them in time.")
	descTCPRefused = desc("media_tcp_refused_total", "TCP connections for which there was no place, or that sent nothing that was answered.")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRooms, descMembers, descAway, descOver, descWrong, descMics, descEars, descUp, descIn, descOut, descDropped, descAddresses, descRefused, descTCP, descTCPDropped, descTCPRefused} {
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
	rooms := c.rooms.List()
	heads := headcount{roles: make(map[room.Role]int)}
	wrong := 0
	for _, l := range rooms {
		heads.add(l)
		wrong += c.rooms.checkRoom(l)
	}
	gauge(descRooms, len(rooms))
	for _, role := range []room.Role{room.Listener, room.Speaker, room.Host} {
		gauge(descMembers, heads.roles[role], role.String())
	}
	gauge(descAway, heads.disconnected)
	gauge(descOver, heads.overflow)
	gauge(descWrong, wrong)
	gauge(descMics, heads.mics)
	gauge(descEars, heads.ears)
	gauge(descUp, heads.connected)

	media := c.rooms.mediaTotals()
	counter(descIn, media.received)
	counter(descOut, media.sent)
	counter(descDropped, media.muted, "muted")
	counter(descDropped, media.unheard, "unheard")
	counter(descDropped, media.failed, "failed")
	counter(descDropped, media.overflow, "overflow")

	port := c.rooms.cfg.Media.Stats()
	gauge(descAddresses, port.Addresses)
	counter(descRefused, port.Unknown, "unknown")
	counter(descRefused, port.Unauthentic, "unauthentic")
	counter(descRefused, port.Malformed, "malformed")
	counter(descRefused, port.Overrun, "overrun")
	counter(descRefused, port.Excess, "excess")
	gauge(descTCP, port.TCP.Connections)
	counter(descTCPDropped, port.TCP.Dropped)
	counter(descTCPRefused, port.TCP.Refused)
}
