package metric

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/google/jsonschema-go/jsonschema"
)

// MarshalJSON writes an object of the values by name, each with its kind and
// its unit. Where there were no samples, the count (or total) and all figures
// are 0. A gauge without data is left out, and so are windows.
func (v Values) MarshalJSON() ([]byte, error) {
	object := make(map[string]any, len(v))
	for name, value := range v {
		if err := fits(name, value); err != nil {
			return nil, err
		}
		d, _ := Lookup(name)
		encoded, ok, err := encode(d, value)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
		if ok {
			object[name] = encoded
		}
	}
	return json.Marshal(object)
}

// jsonHead is what the JSON of every value has.
type jsonHead struct {
	Kind Kind `json:"kind"`
	Unit Unit `json:"unit,omitempty"`
}

type jsonTrend struct {
	jsonHead
	Count uint64  `json:"count" jsonschema:"Samples. With 0 the other figures are 0 and mean nothing."`
	Avg   float64 `json:"avg"`
	Min   float64 `json:"min"`
	Med   float64 `json:"med"`
	P90   float64 `json:"p(90)"`
	P95   float64 `json:"p(95)"`
	P99   float64 `json:"p(99)"`
	P999  float64 `json:"p(99.9)"`
	Max   float64 `json:"max"`
	// Beyond are the percentiles that are at least what is written and at most Max.
	Beyond    []string `json:"beyond_range,omitempty" jsonschema:"Percentiles among several samples above 60,000, of which only bounds are known: each is at least the value that stands here, and at most max."`
	Histogram base64   `json:"histogram,omitempty" jsonschema:"The samples in thousandths of the unit, as a HdrHistogram in its compressed V2 encoding: histograms of several runs or machines can be added. It leaves out samples above 60,000: so many as count is more than it has."`
}

type jsonRate struct {
	Kind   Kind   `json:"kind"`
	Rate   share  `json:"rate"`
	Passes uint64 `json:"passes"`
	Total  uint64 `json:"total" jsonschema:"With 0 there were no samples."`
}

type jsonCounter struct {
	jsonHead
	Count uint64 `json:"count"`
}

type jsonGauge struct {
	jsonHead
	Value float64 `json:"value"`
}

type (
	base64 string
	share  float64 // from 0 to 1
)

// encode is the value as it is written; false if it is left out.
func encode(d Definition, value Value) (any, bool, error) {
	h := jsonHead{d.Kind, d.Unit}
	switch value := value.(type) {
	case *Trend:
		if value == nil {
			return nil, false, nil
		}
		s := value.Summary()
		histogram, err := value.Histogram()
		return jsonTrend{h, s.Count, s.Avg, s.Min, s.Med, s.P90, s.P95, s.P99, s.P999, s.Max, value.beyond(), base64(histogram)}, true, err
	case Rate:
		return jsonRate{d.Kind, share(value.Share()), value.Passes, value.Total}, true, nil
	case Counter:
		return jsonCounter{h, uint64(value)}, true, nil
	case Gauge:
		return jsonGauge{h, float64(value)}, !value.empty(), nil
	}
	return nil, false, nil
}

// beyond are the percentiles of the JSON of which only the bounds are known.
func (t *Trend) beyond() (names []string) {
	for _, q := range []struct {
		name string
		p    float64
	}{{"med", 50}, {"p(90)", 90}, {"p(95)", 95}, {"p(99)", 99}, {"p(99.9)", 99.9}} {
		if t.BeyondRange(q.p) {
			names = append(names, q.name)
		}
	}
	return names
}

// JSONSchemas are the schemas of a value's JSON by its kind.
func JSONSchemas() (map[Kind]*jsonschema.Schema, error) {
	units := &jsonschema.Schema{}
	for _, u := range []Unit{Milliseconds, Bytes, Cores, Packets, Percent} {
		units.Enum = append(units.Enum, u)
	}
	options := &jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[Unit]():   units,
		reflect.TypeFor[base64](): {Type: "string", ContentEncoding: "base64"},
		reflect.TypeFor[share]():  {Type: "number", Minimum: new(0.0), Maximum: new(1.0)},
	}}
	all := map[Kind]*jsonschema.Schema{}
	for _, row := range []struct {
		kind  Kind
		value any
		help  string
	}{
		{KindTrend, jsonTrend{}, "A distribution."},
		{KindRate, jsonRate{}, "A share."},
		{KindCounter, jsonCounter{}, "A number of events."},
		{KindGauge, jsonGauge{}, "One figure for the run."},
	} {
		s, err := jsonschema.ForType(reflect.TypeOf(row.value), options)
		if err != nil {
			return nil, fmt.Errorf("the schema of a %s: %w", row.kind, err)
		}
		s.Description = row.help
		s.Properties["kind"] = &jsonschema.Schema{Const: new(any(row.kind))}
		all[row.kind] = s
	}
	return all, nil
}
