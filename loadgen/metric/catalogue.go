package metric

// catalogue is every metric of a run, in the order in which they are reported. It
// is the one place that defines a metric: the JSON Schemas, the text and HTML
// reports, the Prometheus exporter, compare and the table of docs/metrics.md are
// made from it.
var catalogue = [...]Definition{
	{
		Name: "joined", Kind: KindRate,
		Help:    "listeners who received a packet, of the listeners cast",
		Parts:   Parts{People: true, Live: true},
		Compare: []Aspect{{Missed, Lower}},
	},
	{
		Name: "join_duration", Kind: KindTrend, Unit: Milliseconds,
		Help:    "from the intended start of a join, not the actual one, to the first media packet",
		Parts:   Parts{People: true, Live: true},
		Compare: []Aspect{{"med", Lower}, {"p(95)", Lower}},
	},
	{
		Name: "join_step", Kind: KindTrend, Unit: Milliseconds,
		Help:    "how long the slowest step of a join took, or the selected one",
		Parts:   Parts{People: true, Steps: JoinSteps},
		Compare: []Aspect{{"med", Lower}, {"p(95)", Lower}},
	},
	{
		Name: "reconnect_duration", Kind: KindTrend, Unit: Milliseconds,
		Help:    "from the loss of a signaling connection to the server's answer that the session is resumed",
		Compare: []Aspect{{"med", Lower}, {"max", Lower}},
	},
	{
		Name: "delivered", Kind: KindRate,
		Help:    "media packets received, of those due to each listener in each 20 ms",
		Parts:   Parts{People: true, Phases: true, Windows: true, Live: true},
		Compare: []Aspect{{Missed, Lower}},
	},
	{
		Name: "recovered", Kind: KindRate,
		Help:    "packets that came after a retransmission request (NACK), of those requested",
		Parts:   Parts{By: RecoveredBy},
		Compare: []Aspect{{Missed, Lower}},
	},
	{
		Name: "onset_clip", Kind: KindTrend, Unit: Milliseconds,
		Help:    "how much of the start of a turn a listener missed",
		Parts:   Parts{People: true},
		Compare: []Aspect{{"avg", Lower}, {"p(95)", Lower}},
	},
	{
		Name: "latency", Kind: KindTrend, Unit: Milliseconds,
		Help:    "from the intended send time of a packet at the speaker to its receive time at the listener's socket",
		Parts:   Parts{People: true, Phases: true, Windows: true, Live: true},
		Compare: []Aspect{{"med", Lower}, {"p(99)", Lower}, {"p(99.9)", Lower}},
	},
	{
		Name: "latency_listener", Kind: KindTrend, Unit: Milliseconds,
		Help:    "the 99th percentile of the latency of each listener's packets",
		Parts:   Parts{People: true},
		Compare: []Aspect{{"med", Lower}, {"p(99)", Lower}},
	},
	{
		Name: "rtt", Kind: KindTrend, Unit: Milliseconds,
		Help:    "mean round trip of a lean client's connectivity checks to the server, per listener",
		Parts:   Parts{People: true},
		Compare: []Aspect{{"med", Lower}, {"p(99)", Lower}},
	},
	{
		Name: "unrecognised", Kind: KindRate,
		Help:    "packets received that match no single sent frame, of all received",
		Parts:   Parts{People: true, Live: true},
		Compare: []Aspect{{"rate", Neither}},
	},
	{
		Name: "jitter", Kind: KindTrend, Unit: Milliseconds,
		Help:    "interarrival jitter (RFC 3550), per listener",
		Parts:   Parts{People: true},
		Compare: []Aspect{{"med", Lower}, {"p(99)", Lower}},
	},
	{
		Name: "loss", Kind: KindTrend, Unit: Percent,
		Help:    "share of the due packets that did not come, per listener",
		Parts:   Parts{People: true},
		Compare: []Aspect{{"avg", Lower}, {"p(99)", Lower}},
	},
	{
		Name: "concealed", Kind: KindTrend, Unit: Percent,
		Help:    "share of the due frames that did not come in time to be played, per listener",
		Parts:   Parts{People: true},
		Compare: []Aspect{{"avg", Lower}, {"p(99)", Lower}},
	},
	{
		Name: "audio_gap", Kind: KindTrend, Unit: Milliseconds,
		Help:    "longest stretch without a new packet while someone spoke, per listener",
		Parts:   Parts{People: true},
		Compare: []Aspect{{"med", Lower}, {"p(99)", Lower}},
	},
	{
		Name: "gaps_per_minute", Kind: KindTrend,
		Help:    "gaps of 60 ms or more in what could be played, per minute of speech, per listener",
		Parts:   Parts{People: true},
		Compare: []Aspect{{"avg", Lower}, {"p(99)", Lower}},
	},
	{
		Name: "frozen_time", Kind: KindTrend, Unit: Milliseconds,
		Help:    "total length of the gaps of 60 ms or more in what could be played, per listener",
		Parts:   Parts{People: true},
		Compare: []Aspect{{"avg", Lower}, {"p(99)", Lower}},
	},
	{
		Name: "mos", Kind: KindTrend,
		Help:     "estimated opinion score from 1 to 4.5 by the E-model, per listener",
		Estimate: true,
		Parts:    Parts{People: true, Windows: true},
		Compare:  []Aspect{{"avg", Higher}, {"min", Higher}},
	},
	{
		Name: "mos_worst", Kind: KindTrend,
		Help:     "the lowest opinion score of any 10 s of the measured window, per listener; only where a threshold asks for it, or for mos over windows",
		Estimate: true,
		Parts:    Parts{People: true},
		Compare:  []Aspect{{"avg", Higher}, {"min", Higher}},
	},
	{
		Name: "audio_score", Kind: KindTrend,
		Help:     "how much what a probe heard sounds like what was said, from 1 to 5, by ViSQOL's method, per probe; only with audio_score in the scenario",
		Estimate: true,
		Parts:    Parts{People: true},
		Compare:  []Aspect{{"avg", Higher}, {"min", Higher}},
	},
	{
		Name: "promote_duration", Kind: KindTrend, Unit: Milliseconds,
		Help:    "from the acknowledgement of a promotion to the first packet of the new speaker that anybody received",
		Compare: []Aspect{{"med", Lower}, {"max", Lower}},
	},
	{
		Name: "mute_silence", Kind: KindTrend, Unit: Packets,
		Help:    "packets of a muted or demoted person that were planned after the acknowledgement and still received",
		Compare: []Aspect{{"max", Lower}},
	},
	{
		Name: "kick_silence", Kind: KindTrend, Unit: Packets,
		Help:    "packets to or from a kicked or banned person that were planned after the acknowledgement and still got through",
		Compare: []Aspect{{"max", Lower}},
	},
	{
		Name: "no_shows", Kind: KindCounter,
		Help:    "invited guests who did not come, as reported to the host",
		Compare: []Aspect{{"count", Neither}},
	},
	{
		Name: "published", Kind: KindRate, OfMics: true,
		Help:    "mics that the server took, and kept until the end or until they left, of those that were to open",
		Compare: []Aspect{{Missed, Lower}},
	},
	{
		Name: "publish_duration", Kind: KindTrend, Unit: Milliseconds, OfMics: true,
		Help:    "from the intended start of a publisher's join to the end of its DTLS handshake",
		Compare: []Aspect{{"med", Lower}, {"p(95)", Lower}},
	},
	{
		Name: "mic_rtt", Kind: KindTrend, Unit: Milliseconds, OfMics: true,
		Help:    "mean round trip of a mic's connectivity checks to the server, per mic",
		Compare: []Aspect{{"med", Lower}, {"p(99)", Lower}},
	},
	{
		Name: "mic_loss", Kind: KindTrend, Unit: Percent, OfMics: true, Reported: true,
		Help:    "share of a mic's packets that the server did not receive, as its receiver reports say, per mic",
		Compare: []Aspect{{"avg", Lower}, {"p(99)", Lower}},
	},
	{
		Name: "mic_jitter", Kind: KindTrend, Unit: Milliseconds, OfMics: true, Reported: true,
		Help:    "interarrival jitter of a mic's packets at the server, as its receiver reports say on average, per mic",
		Compare: []Aspect{{"med", Lower}, {"p(99)", Lower}},
	},
	{
		Name: "mic_nacks", Kind: KindCounter, Unit: Packets, OfMics: true,
		Help:    "packets of mics that the server asked for again (NACK), which only mics behind a simulated network offer",
		Compare: []Aspect{{"count", Lower}},
	},
	{
		Name: "duplicates", Kind: KindCounter, Unit: Packets,
		Help:    "packets that a listener received again",
		Compare: []Aspect{{"count", Lower}},
	},
	{
		Name: "out_of_order", Kind: KindCounter, Unit: Packets,
		Help:    "packets that came after a later one",
		Parts:   Parts{People: true},
		Compare: []Aspect{{"count", Lower}},
	},
	{
		Name: "unauthentic", Kind: KindCounter, Unit: Packets,
		Help:    "packets that failed a listener's authentication",
		Compare: []Aspect{{"count", Lower}},
	},
	{
		Name: "server_cpu", Kind: KindGauge, Unit: Cores,
		Help:    "cores that the server process used in the steady state, user and system time",
		Parts:   Parts{Phases: true, Windows: true, Live: true},
		Compare: []Aspect{{"value", Lower}},
	},
	{
		Name: "server_rss", Kind: KindGauge, Unit: Bytes,
		Help:    "resident memory of the server process",
		Parts:   Parts{Phases: true, Windows: true, Live: true},
		Compare: []Aspect{{"value", Lower}},
	},
	{
		Name: "packets_per_core", Kind: KindGauge,
		Help:    "media packets received by listeners per core-second of the server, in the steady state",
		Compare: []Aspect{{"value", Higher}},
	},
	{
		Name: "generator_lag", Kind: KindTrend, Unit: Milliseconds,
		Help:    "how late the generator itself was with its sends, joins and reads",
		Parts:   Parts{Live: true},
		Compare: []Aspect{{"p(99)", Neither}},
	},
	{
		Name: "generator_drops", Kind: KindCounter, Unit: Packets,
		Help:    "packets that the generator's sockets or its machine dropped",
		Parts:   Parts{Live: true},
		Compare: []Aspect{{"count", Neither}},
	},
}

// JoinSteps are the steps of a join, in their order.
var JoinSteps = []string{"dns", "tcp", "tls", "signaling", "ice", "dtls", "subscription", "first_packet", "first_audio"}

// RecoveredBy is what can make up for a lost packet: a retransmission, or the copy of its
// frame in the next (RFC 7587, section 3.3).
var RecoveredBy = []string{"nack", "fec"}
