package push

import (
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// writeProto is prometheus.WriteRequest of remote write 1.0 as its specification has it.
func writeProto(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type, of string, repeated bool) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: &kind, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
		if repeated {
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}
		if of != "" {
			f.TypeName = proto.String(".prometheus." + of)
		}
		return f
	}
	const text, double, integer, message = descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_DOUBLE,
		descriptorpb.FieldDescriptorProto_TYPE_INT64, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	kind := func(name string, fields ...*descriptorpb.FieldDescriptorProto) *descriptorpb.DescriptorProto {
		return &descriptorpb.DescriptorProto{Name: &name, Field: fields}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("remote.proto"), Package: proto.String("prometheus"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			kind("WriteRequest", field("timeseries", 1, message, "TimeSeries", true)),
			kind("TimeSeries", field("labels", 1, message, "Label", true), field("samples", 2, message, "Sample", true)),
			kind("Label", field("name", 1, text, "", false), field("value", 2, text, "", false)),
			kind("Sample", field("value", 1, double, "", false), field("timestamp", 2, integer, "", false)),
		},
	}, nil)
	require.NoError(t, err)
	return file.Messages().ByName("WriteRequest")
}

// A store keeps the series that it gets, as in Prometheus' text.
type store struct {
	t       *testing.T
	message protoreflect.MessageDescriptor
	last    map[string]float64
	pushes  int
}

// Store implements the library's receiver.
func (s *store) Store(r *http.Request, _ remote.WriteMessageType) (*remote.WriteResponse, error) {
	body, err := io.ReadAll(r.Body)
	assert.NoError(s.t, err)
	m := dynamicpb.NewMessage(s.message)
	assert.NoError(s.t, proto.Unmarshal(body, m))
	assert.Empty(s.t, m.GetUnknown())
	get := func(m protoreflect.Message, name string) protoreflect.Value {
		return m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
	}
	s.last = map[string]float64{}
	s.pushes++
	all := get(m, "timeseries").List()
	for i := range all.Len() {
		one := all.Get(i).Message()
		var labels, names []string
		pairs := get(one, "labels").List()
		for k := range pairs.Len() {
			name := get(pairs.Get(k).Message(), "name").String()
			names = append(names, name)
			labels = append(labels, name+"="+get(pairs.Get(k).Message(), "value").String())
		}
		assert.True(s.t, slices.IsSorted(names), "labels are sorted: %v", names)
		samples := get(one, "samples").List()
		assert.Equal(s.t, 1, samples.Len())
		assert.Positive(s.t, get(samples.Get(0).Message(), "timestamp").Int())
		s.last[strings.Join(labels, ",")] = get(samples.Get(0).Message(), "value").Float()
	}
	return remote.NewWriteResponse(), nil
}

// received is a store behind Prometheus' own handler.
func received(t *testing.T) (s *store, url string) {
	t.Helper()
	s = &store{t: t, message: writeProto(t)}
	h := remote.NewWriteHandler(s, remote.MessageTypes{remote.WriteV1MessageType}, remote.WithWriteHandlerLogger(slog.New(slog.DiscardHandler)))
	return s, serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		assert.Equal(t, "/api/v1/write ann pw", r.URL.Path+" "+user+" "+password)
		h.ServeHTTP(w, r)
	})
}

func TestRemoteWriteSendsEverySeries(t *testing.T) {
	s, url := received(t)
	r, err := NewRemoteWrite(figures(t), strings.Replace(url, "http://", "http://ann:pw@", 1), options())
	closing(t, r, err)
	require.NoError(t, r.Send(t.Context()))
	assert.Equal(t, map[string]float64{
		"__name__=earshot_delivered,commit=abc,instance=here,job=earshot,network=3g":                   0.75,
		"__name__=earshot_duplicates,commit=abc,instance=here,job=earshot,network=not this":            7,
		"__name__=earshot_latency,commit=abc,instance=here,job=earshot,network=not this,quantile=0.5":  5,
		"__name__=earshot_latency,commit=abc,instance=here,job=earshot,network=not this,quantile=0.99": 10,
		"__name__=earshot_latency_count,commit=abc,instance=here,job=earshot,network=not this":         10,
		"__name__=earshot_latency_sum,commit=abc,instance=here,job=earshot,network=not this":           55,
	}, s.last)
}

func TestRemoteWriteEndsSeriesThatAreMissing(t *testing.T) {
	s, url := received(t)
	phase := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "earshot_run_phase"}, []string{"phase"})
	registry := prometheus.NewRegistry()
	registry.MustRegister(phase)
	r, err := NewRemoteWrite(registry, strings.Replace(url, "http://", "http://ann:pw@", 1), Options{Instance: "here"})
	closing(t, r, err)
	phase.WithLabelValues("arrivals").Set(1)
	require.NoError(t, r.Send(t.Context()))
	phase.Reset()
	phase.WithLabelValues("steady").Set(1)
	require.NoError(t, r.Send(t.Context()))
	require.Len(t, s.last, 2)
	assert.EqualValues(t, uint64(staleness), math.Float64bits(s.last["__name__=earshot_run_phase,instance=here,job=earshot,phase=arrivals"]))
	require.NoError(t, r.Send(t.Context()))
	assert.Equal(t, []string{"__name__=earshot_run_phase,instance=here,job=earshot,phase=steady"}, slices.Collect(maps.Keys(s.last)), "it has ended once")
}

func TestRemoteWriteSendsItsToken(t *testing.T) {
	var got http.Header
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	o := options()
	o.Token = "T"
	r, err := NewRemoteWrite(figures(t), url+"/push", o)
	closing(t, r, err)
	require.NoError(t, r.Send(t.Context()))
	assert.Equal(t, "Bearer T", got.Get("Authorization"))
	assert.Equal(t, "earshot/v1", got.Get("User-Agent"))
	assert.Equal(t, "0.1.0", got.Get("X-Prometheus-Remote-Write-Version"))
}
