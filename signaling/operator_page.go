package signaling

import (
	"bytes"
	"net"
	"net/http"
	"net/netip"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/earshot-audio/earshot/signaling/panel"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// operatorFile serves the operator's page and what belongs to it. None of it
// tells anything of the server.
func (s *Server) operatorFile(w http.ResponseWriter, r *http.Request) {
	data, kind, ok := panel.File(r.PathValue("file"))
	if !ok {
		writeError(w, wire.NewError(wire.CodeNotFound, ""))
		return
	}
	w.Header().Set("Content-Security-Policy", panel.Policy)
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(data)
}

// operatorNow serves what the page shows: to the operator, and on an open server
// to whoever is on this machine.
func (s *Server) operatorNow(w http.ResponseWriter, r *http.Request) {
	have, err := s.authorize(r)
	if err == nil && !have.operator && !(s.cfg.Open && fromLoopback(r)) {
		err = wire.NewError(wire.CodeForbidden, "the operator's page takes the operator's token")
	}
	if err != nil {
		writeError(w, refuse(s.log, err))
		return
	}
	view := s.panel.Add(s.panelSample, s.cfg.Clock())
	var body bytes.Buffer
	if err := view.Write(&body); err != nil {
		writeError(w, refuse(s.log, err))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes())
}

func fromLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// panelSample is what the server does now. The figures are those of /metrics.
func (s *Server) panelSample() panel.Sample {
	sample := panel.Sample{Rooms: []panel.RoomSample{}}
	families, _ := s.metrics.registry.Gather() // what could be gathered is there beside an error
	for _, f := range families {
		switch f.GetName() {
		case "earshot_media_packets_received_total":
			sample.Received = uint64(total(f))
		case "earshot_media_packets_sent_total":
			sample.Sent = uint64(total(f))
		case "earshot_media_packets_dropped_total":
			sample.Dropped = uint64(total(f, "failed", "overflow"))
		case "earshot_mics":
			sample.Mics = int(total(f))
		case "earshot_ears":
			sample.Ears = int(total(f))
		case "process_cpu_seconds_total":
			sample.CPU = time.Duration(total(f) * float64(time.Second))
		case "process_resident_memory_bytes":
			sample.Memory = uint64(total(f))
		}
	}
	for _, l := range s.hub.list() {
		r := l.panelRoom()
		sample.Stage += len(r.Stage)
		for _, n := range r.Halls {
			sample.Audience += n
		}
		sample.Rooms = append(sample.Rooms, r)
	}
	return sample
}

// total sums up a metric over its labels, or over some values of its only label.
func total(f *dto.MetricFamily, values ...string) (sum float64) {
	for _, m := range f.GetMetric() {
		wanted := len(values) == 0
		for _, v := range values {
			for _, l := range m.GetLabel() {
				wanted = wanted || l.GetValue() == v
			}
		}
		if wanted {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// panelRoom is the room as the operator sees it.
func (l *live) panelRoom() panel.RoomSample {
	sent := l.mediaStats().sent
	l.mu.Lock()
	defer l.mu.Unlock()
	r := panel.RoomSample{
		ID: l.id, Name: l.title, Visibility: string(wireVisibility[l.rules.Rules().Visibility]),
		Created: l.created, Halls: append([]int(nil), l.rules.Halls()...), Sent: sent,
	}
	for _, m := range l.stage() {
		r.Stage = append(r.Stage, m.Name)
	}
	return r
}
