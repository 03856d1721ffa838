package push

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/grpc/credentials"

	"github.com/earshot-audio/earshot/internal/urltext"
)

// An OTLP is a receiver of OpenTelemetry's protocol, over HTTP or gRPC
// (https://opentelemetry.io/docs/specs/otlp/). Headers, a time-out and compression come from the
// environment variables of OpenTelemetry (OTEL_EXPORTER_OTLP_HEADERS and its like), and further
// attributes of the resource from OTEL_RESOURCE_ATTRIBUTES.
type OTLP struct {
	figures  prometheus.Gatherer
	resource *resource.Resource
	scope    instrumentation.Scope
	exporter metric.Exporter
}

// NewOTLP is the receiver at a URL. With http and https it is OTLP over HTTP, without a path at
// /v1/metrics; with grpc and grpcs it is OTLP over gRPC, the latter with TLS.
func NewOTLP(ctx context.Context, figures prometheus.Gatherer, address string, o Options) (*OTLP, error) {
	where, err := parseURL(address, "http", "https", "grpc", "grpcs")
	if err != nil {
		return nil, err
	}
	overGRPC := strings.HasPrefix(where.Scheme, "grpc")
	switch {
	case where.User != nil || where.RawQuery != "":
		return nil, fmt.Errorf("%s has a user or a query, which OTLP has not: give headers in OTEL_EXPORTER_OTLP_HEADERS", urltext.Safe(address))
	case overGRPC && strings.Trim(where.Path, "/") != "":
		return nil, fmt.Errorf("%s: OTLP over gRPC has no path", urltext.Safe(address))
	}
	r, err := o.resource(ctx)
	if err != nil {
		return nil, err
	}
	x := &OTLP{figures: figures, resource: r, scope: instrumentation.Scope{Name: service, Version: o.Version}}
	if overGRPC {
		x.exporter, err = o.grpc(ctx, where)
	} else {
		x.exporter, err = o.http(ctx, where)
	}
	if err != nil {
		return nil, brief(err)
	}
	return x, nil
}

// http exports over HTTP. It tries once: the next push has newer figures.
func (o Options) http(ctx context.Context, where *url.URL) (metric.Exporter, error) {
	if strings.Trim(where.Path, "/") == "" {
		where.Path = "/v1/metrics"
	}
	options := []otlpmetrichttp.Option{otlpmetrichttp.WithEndpointURL(where.String()), otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{})}
	if o.TLS != nil {
		options = append(options, otlpmetrichttp.WithTLSClientConfig(o.TLS.Clone()))
	}
	return otlpmetrichttp.New(ctx, options...)
}

// grpc exports over gRPC, once as well.
func (o Options) grpc(ctx context.Context, where *url.URL) (metric.Exporter, error) {
	security := otlpmetricgrpc.WithTLSCredentials(credentials.NewTLS(o.TLS.Clone()))
	if where.Scheme == "grpc" {
		security = otlpmetricgrpc.WithInsecure()
	}
	return otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithEndpoint(where.Host), otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{}), security)
}

// resource says what sends the figures (OpenTelemetry's semantic conventions, "Service").
func (o Options) resource(ctx context.Context) (*resource.Resource, error) {
	attributes := []attribute.KeyValue{
		attribute.String("service.name", service), attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Instance),
	}
	for name, value := range o.Labels {
		switch name {
		case "job":
			name = "service.name"
		case "instance":
			name = "service.instance.id"
		}
		attributes = append(attributes, attribute.String(name, value))
	}
	r, err := resource.New(ctx, resource.WithAttributes(attributes...), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("attributes from the environment: %w", err)
	}
	return r, nil
}

// Send implements [Sender].
func (x *OTLP) Send(ctx context.Context) error {
	families, err := x.figures.Gather()
	if err != nil {
		return fmt.Errorf("gather the figures: %w", err)
	}
	gathered := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	scopes, err := bridge.NewMetricProducer(bridge.WithGatherer(gathered)).Produce(ctx)
	if err != nil {
		return fmt.Errorf("gather the figures: %w", err)
	}
	for i := range scopes {
		scopes[i].Scope = x.scope
	}
	if err := x.exporter.Export(ctx, &metricdata.ResourceMetrics{Resource: x.resource, ScopeMetrics: scopes}); err != nil {
		return brief(err)
	}
	return nil
}

// Close implements [Sender].
func (x *OTLP) Close(ctx context.Context) error { return x.exporter.Shutdown(ctx) }
