package signaling

import (
	"bytes"
	"html"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/earshot-audio/earshot/internal/language"
	"github.com/earshot-audio/earshot/internal/reach"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/nodes"
	"github.com/earshot-audio/earshot/signaling/panel"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// operatorFile serves the operator's page and its files, which say nothing about
// the server.
func (s *Server) operatorFile(w http.ResponseWriter, r *http.Request) error {
	data, kind, ok := panel.File(r.PathValue("file"))
	if !ok {
		return wire.NewError(wire.CodeNotFound, "")
	}
	if language.HasPlaces(data) {
		texts := s.cfg.Languages.Of(r)
		data = texts.Fill(data, html.EscapeString)
		w.Header().Set("Content-Language", texts.Tag)
		w.Header().Add("Vary", language.Vary)
	}
	w.Header().Set("Content-Security-Policy", panel.Policy)
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(data)
	return nil
}

// operatorView serves what the page shows: to the operator, and on an open server to
// anybody on this machine.
func (s *Server) operatorView(w http.ResponseWriter, r *http.Request) error {
	who, err := s.api.Principal(r)
	if err != nil {
		return err
	}
	if !who.Operator && !(s.cfg.Open && !reach.Outside(r.RemoteAddr)) {
		return wire.NewError(wire.CodeForbidden, "the operator's page takes the operator's token")
	}
	var body bytes.Buffer
	if err := s.panel.Add(s.panelSample, s.cfg.Clock()).Write(&body); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes())
	return nil
}

// panelSample returns the server's figures now. They are those of /metrics.
func (s *Server) panelSample() panel.Sample {
	sample := panel.Sample{Rooms: []panel.RoomSample{}}
	families, _ := s.cfg.Registry.Gather() // it returns what could be gathered beside an error
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
	for _, l := range s.rooms.List() {
		r := panelRoom(l.Info())
		if s.cfg.Cluster != nil {
			r.Elsewhere, r.ElsewhereNodes = s.cfg.Cluster.EarsElsewhere(l)
		}
		sample.Stage += len(r.Stage)
		for _, n := range r.Halls {
			sample.Audience += n
		}
		sample.Rooms = append(sample.Rooms, r)
	}
	if s.cfg.Cluster != nil {
		sample.Nodes = panelNodes(s.cfg.Cluster)
	}
	return sample
}

func panelNodes(c *nodes.Nodes) (all []panel.NodeSample) {
	list, silent := c.List()
	for _, n := range list {
		all = append(all, panel.NodeSample{
			ID: n.ID, URL: n.URL, Zone: n.Zone, Self: n.ID == c.ID(), Draining: n.Draining, Silent: silent[n.ID],
			Seats: n.Seats, Taken: n.Taken, Rooms: n.Rooms, Halls: n.Halls, Trunks: n.Trunks,
		})
	}
	return all
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

func panelRoom(i liveroom.Info) panel.RoomSample {
	r := panel.RoomSample{ID: i.ID, Name: i.Title, Visibility: string(i.Visibility), Created: i.Created, Halls: i.Halls, Sent: i.PacketsSent}
	for _, m := range i.Stage {
		r.Stage = append(r.Stage, m.Name)
	}
	return r
}
