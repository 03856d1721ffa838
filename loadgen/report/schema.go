package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/earshot-audio/earshot/loadgen/metric"
)

//go:generate go test -run ^TestSchemaFileIsGenerated$ . -update

// Schema is the JSON Schema (draft 2020-12) of the summary, made from the types that
// write it.
func Schema() ([]byte, error) {
	values := &jsonschema.Schema{
		Type:                 "object",
		PropertyNames:        &jsonschema.Schema{Pattern: `^[a-z][a-z0-9_]*(\{[^{}]*\})?( over .+)?$`},
		AdditionalProperties: &jsonschema.Schema{},
	}
	defs := map[string]*jsonschema.Schema{}
	kinds, err := metric.JSONSchemas()
	if err != nil {
		return nil, err
	}
	for _, kind := range []metric.Kind{metric.KindTrend, metric.KindRate, metric.KindCounter, metric.KindGauge} {
		defs[string(kind)] = kinds[kind]
		values.AdditionalProperties.OneOf = append(values.AdditionalProperties.OneOf, &jsonschema.Schema{Ref: "#/$defs/" + string(kind)})
	}
	s, err := jsonschema.For[summary](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[metric.Values]():       values,
		reflect.TypeFor[Verdict]():             {Enum: []any{Pass, Fail, Invalid}},
		reflect.TypeFor[portion]():             {Type: "number", Minimum: new(0.0), Maximum: new(1.0)},
		reflect.TypeFor[version]():             {Const: new(any(schemaVersion))},
		reflect.TypeFor[recordVersionNumber](): {Const: new(any(recordVersion))},
		reflect.TypeFor[[]byte]():              {Type: "string", ContentEncoding: "base64"},
		reflect.TypeFor[time.Time]():           {Type: "string", Format: "date-time"},
	}})
	if err != nil {
		return nil, fmt.Errorf("the schema of the summary: %w", err)
	}
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.ID = "https://github.com/earshot-audio/earshot/docs/summary.schema.json"
	s.Title = "The summary of an earshot run"
	s.Description = "What earshot run --summary writes. earshot summary schema prints this schema."
	s.Defs = defs
	dropNulls(s)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return b.Bytes(), nil
}

// dropNulls removes null where it is never written: of fields that are left out
// instead, and of lists, which are empty.
func dropNulls(s *jsonschema.Schema) {
	for name, p := range s.Properties {
		if !slices.Contains(s.Required, name) || slices.Contains(p.Types, "array") {
			p.Types = slices.DeleteFunc(p.Types, func(t string) bool { return t == "null" })
			if len(p.Types) == 1 {
				p.Type, p.Types = p.Types[0], nil
			}
		}
		dropNulls(p)
		if p.Items != nil {
			dropNulls(p.Items)
		}
	}
}
