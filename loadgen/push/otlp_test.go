package push

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// A metricsService is a receiver of OTLP by gRPC.
type metricsService struct {
	collector.UnimplementedMetricsServiceServer
	got *collector.ExportMetricsServiceRequest
}

func (s *metricsService) Export(_ context.Context, r *collector.ExportMetricsServiceRequest) (*collector.ExportMetricsServiceResponse, error) {
	s.got = r
	return &collector.ExportMetricsServiceResponse{}, nil
}

func attributesOf(all []*common.KeyValue) map[string]string {
	named := map[string]string{}
	for _, a := range all {
		named[a.GetKey()] = a.GetValue().GetStringValue()
	}
	return named
}

// hasFigures checks that all figures have come.
func hasFigures(t *testing.T, r *collector.ExportMetricsServiceRequest) {
	t.Helper()
	require.Len(t, r.GetResourceMetrics(), 1)
	of := attributesOf(r.GetResourceMetrics()[0].GetResource().GetAttributes())
	for name, value := range map[string]string{"service.name": "earshot", "service.version": "v1", "service.instance.id": "here", "commit": "abc", "team": "audio"} {
		assert.Equal(t, value, of[name], name)
	}
	require.Len(t, r.GetResourceMetrics()[0].GetScopeMetrics(), 1)
	scope := r.GetResourceMetrics()[0].GetScopeMetrics()[0]
	assert.Equal(t, "earshot", scope.GetScope().GetName())
	named := map[string]*metrics.Metric{}
	for _, m := range scope.GetMetrics() {
		named[m.GetName()] = m
	}
	require.Len(t, named, 3)
	share := named["earshot_delivered"].GetGauge().GetDataPoints()[0]
	assert.InDelta(t, 0.75, share.GetAsDouble(), 1e-9)
	assert.Equal(t, map[string]string{"network": "3g"}, attributesOf(share.GetAttributes()))
	assert.Equal(t, "A share.", named["earshot_delivered"].GetDescription())
	sum := named["earshot_duplicates"].GetSum()
	assert.True(t, sum.GetIsMonotonic())
	assert.InDelta(t, 7, sum.GetDataPoints()[0].GetAsDouble(), 1e-9)
	summary := named["earshot_latency"].GetSummary().GetDataPoints()[0]
	assert.EqualValues(t, 10, summary.GetCount())
	assert.InDelta(t, 55, summary.GetSum(), 1e-9)
	require.Len(t, summary.GetQuantileValues(), 2)
}

func TestOTLPSendsEveryFigure(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "team=audio")
	t.Run("by gRPC", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		service, server := &metricsService{}, grpc.NewServer()
		collector.RegisterMetricsServiceServer(server, service)
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }() // ends with Stop
		x, err := NewOTLP(t.Context(), figures(t), "grpc://"+l.Addr().String(), options())
		require.NoError(t, err)
		require.NoError(t, x.Send(t.Context()))
		require.NoError(t, x.Close(t.Context()))
		server.Stop()
		require.NoError(t, <-served)
		hasFigures(t, service.got)
	})
	t.Run("by HTTP, with headers and compression by the environment", func(t *testing.T) {
		t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "X-Scope-OrgID=7")
		t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
		got := &collector.ExportMetricsServiceRequest{}
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "/v1/metrics application/x-protobuf 7", r.URL.Path+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("X-Scope-OrgID"))
			body, err := gzip.NewReader(r.Body)
			if !assert.NoError(t, err) {
				return
			}
			text, err := io.ReadAll(body)
			assert.NoError(t, err)
			assert.NoError(t, proto.Unmarshal(text, got))
			w.Header().Set("Content-Type", "application/x-protobuf")
		})
		x, err := NewOTLP(t.Context(), figures(t), url, options())
		closing(t, x, err)
		require.NoError(t, x.Send(t.Context()))
		hasFigures(t, got)
	})
	t.Run("what it takes in part is an error", func(t *testing.T) {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			text, err := proto.Marshal(&collector.ExportMetricsServiceResponse{PartialSuccess: &collector.ExportMetricsPartialSuccess{RejectedDataPoints: 3, ErrorMessage: "too old"}})
			assert.NoError(t, err)
			w.Header().Set("Content-Type", "application/x-protobuf")
			_, _ = w.Write(text)
		})
		x, err := NewOTLP(t.Context(), figures(t), url, options())
		closing(t, x, err)
		assert.ErrorContains(t, x.Send(t.Context()), "too old")
	})
}
