package push

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A RemoteWrite is a receiver of Prometheus remote write 1.0, which every receiver
// understands (https://prometheus.io/docs/specs/prw/remote_write_spec/).
type RemoteWrite struct {
	figures prometheus.Gatherer
	api     *remote.API
	client  *http.Client
	common  []label
	// taken are the series of the last push that was taken, by their labels: what is missing
	// in the next one has ended.
	taken map[string]series
}

// NewRemoteWrite is the receiver at an http or https URL; without a path, the one at
// /api/v1/write. A user and a password in it are sent by HTTP's basic authentication.
func NewRemoteWrite(figures prometheus.Gatherer, address string, o Options) (*RemoteWrite, error) {
	where, err := parseURL(address, "http", "https")
	if err != nil {
		return nil, err
	}
	path := ""
	if strings.Trim(where.Path, "/") == "" {
		path = "api/v1/write"
	}
	w := &RemoteWrite{figures: figures, client: &http.Client{Transport: &transport{o.roundTripper(), o.Token, o.Version}}}
	for name, value := range o.labels() {
		w.common = append(w.common, label{name, value})
	}
	api, err := remote.NewAPI(where.String(), remote.WithAPIPath(path), remote.WithAPIHTTPClient(w.client),
		remote.WithAPIBackoff(remote.BackoffConfig{Min: time.Second, Max: time.Second, MaxRetries: 1}))
	w.api = api
	return w, err
}

// Send implements [Sender]. A push that may succeed later is tried once more.
func (w *RemoteWrite) Send(ctx context.Context) error {
	families, err := w.figures.Gather()
	if err != nil {
		return fmt.Errorf("gather the figures: %w", err)
	}
	now := map[string]series{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, s := range w.seriesOf(f, m) {
				now[s.key()] = s
			}
		}
	}
	all := now
	if len(w.taken) > 0 {
		all = maps.Clone(now)
		for key, s := range w.taken {
			if _, goesOn := now[key]; !goesOn {
				s.value = math.Float64frombits(staleness)
				all[key] = s
			}
		}
	}
	var first error // why there was a second try
	_, err = w.api.Write(ctx, remote.WriteV1MessageType, encodeWrite(all, time.Now()),
		remote.WithWriteRetryCallback(func(err error) { first = err }))
	if err != nil {
		return brief(cmp.Or(unlessCutShort(err), first, err))
	}
	w.taken = now
	return nil
}

// unlessCutShort is an error that says more than that time ran out.
func unlessCutShort(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Close implements [Sender].
func (w *RemoteWrite) Close(context.Context) error {
	w.client.CloseIdleConnections()
	return nil
}

// staleness is the value by which a series ends, as bits (remote write 1.0, "Stale Markers").
const staleness = 0x7ff0000000000002

// A series has one value in a push.
type series struct {
	labels []label // in the order of their names
	value  float64
}

type label struct{ name, value string }

// key is the same for the same labels alone.
func (s series) key() string {
	var b strings.Builder
	for _, l := range s.labels {
		b.WriteString(strconv.Quote(l.name) + strconv.Quote(l.value))
	}
	return b.String()
}

// seriesOf are the series of one metric, named as in the text that Prometheus reads.
func (w *RemoteWrite) seriesOf(f *dto.MetricFamily, m *dto.Metric) (all []series) {
	add := func(suffix string, value float64, more ...label) {
		labels := append([]label{{"__name__", f.GetName() + suffix}}, more...)
		for _, l := range m.GetLabel() {
			labels = append(labels, label{l.GetName(), l.GetValue()})
		}
		for _, l := range w.common { // a figure's own label counts
			if !slices.ContainsFunc(labels, func(own label) bool { return own.name == l.name }) {
				labels = append(labels, l)
			}
		}
		slices.SortFunc(labels, func(a, b label) int { return cmp.Compare(a.name, b.name) })
		all = append(all, series{labels, value})
	}
	switch f.GetType() {
	case dto.MetricType_COUNTER:
		add("", m.GetCounter().GetValue())
	case dto.MetricType_SUMMARY:
		for _, q := range m.GetSummary().GetQuantile() {
			add("", q.GetValue(), label{"quantile", strconv.FormatFloat(q.GetQuantile(), 'g', -1, 64)})
		}
		add("_sum", m.GetSummary().GetSampleSum())
		add("_count", float64(m.GetSummary().GetSampleCount()))
	default: // a run has no histograms
		add("", m.GetGauge().GetValue())
	}
	return all
}
