package watch

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// An Exporter lets Prometheus read [Figures] while a run goes on, at /metrics.
//
// It is safe for concurrent use. Its goroutines end with Close.
type Exporter struct{ site *site }

// NewExporter serves the figures on a TCP address.
func NewExporter(address string, figures *Figures) (*Exporter, error) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(figures, promhttp.HandlerOpts{}))
	s, err := listen(address, mux)
	if err != nil {
		return nil, err
	}
	return &Exporter{s}, nil
}

// URL is where Prometheus reads.
func (e *Exporter) URL() string { return e.site.url() + "/metrics" }

// Close stops serving.
func (e *Exporter) Close() error { return e.site.close() }
