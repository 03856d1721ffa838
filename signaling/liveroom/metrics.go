package liveroom

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// metrics are the registry's counters. What can be counted on request is in
// collector.
type metrics struct {
	joins      *prometheus.CounterVec
	ended      *prometheus.CounterVec
	mismatches prometheus.Counter
}

func newMetrics() metrics {
	return metrics{
		joins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_joins_total",
			Help: "Attempts to join a room, by way (ws, whip, whep) and result (ok or an error code)."}, []string{"via", "result"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_media_sessions_ended_total",
			Help: "Mics and ears that have ended, by media (mic, ear) and reason: closed by the server, hangup by the client, " +
				"consent_lost, never_connected, handshake_failed, too_many_sources."}, []string{"media", "reason"}),
		mismatches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "earshot_roster_mismatches_total",
			Help: "Times that a room's media, roster and rules did not agree, found by the check that runs every second: always 0."}),
	}
}

// mediaEnded counts the end of a mic or an ear.
func (m *metrics) mediaEnded(media wire.Media, reason error) {
	label := "closed"
	switch {
	case errors.Is(reason, rtc.ErrHangup):
		label = "hangup"
	case errors.Is(reason, rtc.ErrConsentLost):
		label = "consent_lost"
	case errors.Is(reason, rtc.ErrNeverConnected):
		label = "never_connected"
	case errors.Is(reason, rtc.ErrHandshake):
		label = "handshake_failed"
	case errors.Is(reason, rtc.ErrTooManySources):
		label = "too_many_sources"
	}
	m.ended.WithLabelValues(string(media), label).Inc()
}

// CountJoin counts an attempt to join a room. via is how: ws, whip or whep.
func (r *Registry) CountJoin(via string, err error) {
	result := "ok"
	if err != nil {
		refusal, _ := apierr.Lookup(err)
		result = string(refusal.Code)
	}
	r.metrics.joins.WithLabelValues(via, result).Inc()
}
