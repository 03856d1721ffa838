package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/scenarios"
)

//go:generate go test -run IsGenerated$ . -update

// Schema is the JSON Schema (draft 2020-12) of scenario files, for editors, made
// from the parser's own tables. The parser is the stricter of the two: a schema
// can't compare one field with another.
func Schema() ([]byte, error) {
	s := scenarioForm().schema()
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "earshot scenario"
	s.Description = "Who comes into which rooms, when, what they do there, and what must hold for the run to pass."
	s.Defs = map[string]*jsonschema.Schema{
		"duration": {
			Type: "string", Pattern: `^((0|[1-9][0-9]*)(\.[0-9]*)?(ms|s|m|h))+$`,
			Description: "A length of time with its unit: 500ms, 10s, 1m30s.", Examples: []any{"10s"},
		},
		"audioFile": {
			Type: "string", Pattern: `\S`,
			Description: "Path of an Ogg Opus file with packets of 20 ms, relative to the scenario file; or a recording that comes with earshot: " + BuiltIn + strings.Join(scenarios.Recordings(), ", "+BuiltIn) + ".",
		},
		"role": {Enum: enum(Speaker, Listener, Host)},
		"network": {
			Description: "A preset, or figures: those beside up and down are of both directions.",
			AnyOf:       []*jsonschema.Schema{{Enum: enum(network.Presets()...)}, networkForm().schema()},
		},
		"direction": directionForm().schema(),
	}
	for _, d := range metric.Definitions() {
		s.Defs[conditionName(d)] = conditionSchema(d)
		s.Defs[thresholdName(d)] = thresholdSchema(d)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	text := b.Bytes()
	for _, c := range []string{"<", ">", "&"} {
		// The library escapes them as HTML needs it, which makes patterns unreadable.
		text = bytes.ReplaceAll(text, fmt.Appendf(nil, `\u%04x`, c[0]), []byte(c))
	}
	return text, nil
}

// thresholdsSchema is the conditions by metric.
func thresholdsSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type: "object", AdditionalProperties: never(),
		Properties: map[string]*jsonschema.Schema{}, PatternProperties: map[string]*jsonschema.Schema{},
	}
	for _, d := range metric.Definitions() {
		one := ref(thresholdName(d))
		some := &jsonschema.Schema{AnyOf: []*jsonschema.Schema{one, {Type: "array", MinItems: new(1), Items: one}}}
		if pattern := d.NamePattern(); pattern != "" {
			s.PatternProperties[pattern] = some.CloneSchemas()
		}
		some.Description = d.Help + "."
		s.Properties[d.Name] = some
		s.PropertyOrder = append(s.PropertyOrder, d.Name)
	}
	return s
}

// conditionName is the name of the definition of the conditions on metrics of the same kind, unit
// and windows.
func conditionName(d metric.Definition) string {
	name := string(d.Kind)
	if d.Unit != metric.None && (d.Kind == metric.KindTrend || d.Kind == metric.KindGauge) {
		name += "_" + strings.ReplaceAll(string(d.Unit), "%", "percent")
	}
	if d.HigherIsBetter() {
		name += "_higher" // whose example is another
	}
	if d.Parts.Windows {
		name += "_windowed"
	}
	return name
}

// thresholdName is the name of the definition of a condition with its long form.
func thresholdName(d metric.Definition) string {
	if d.Parts.Live {
		return conditionName(d) + "_live_threshold"
	}
	return conditionName(d) + "_threshold"
}

func conditionSchema(d metric.Definition) *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "string", Pattern: d.ThresholdPattern(), Description: "The condition.", Examples: []any{d.Example()},
	}
}

// thresholdSchema is one condition on a metric: its text, or the long form.
func thresholdSchema(d metric.Definition) *jsonschema.Schema {
	long := &jsonschema.Schema{
		Type: "object", AdditionalProperties: never(), Required: []string{"threshold"},
		Properties:    map[string]*jsonschema.Schema{"threshold": ref(conditionName(d))},
		PropertyOrder: []string{"threshold", "abort_on_fail", "delay"},
	}
	if d.Parts.Live {
		long.Properties["abort_on_fail"] = &jsonschema.Schema{
			Type: "boolean", Default: literal(false), Description: "Ends the run as soon as the condition is crossed.",
		}
		delay := ref("duration")
		delay.Description = "How long after the beginning of the arrivals abort_on_fail waits."
		long.Properties["delay"] = delay
		long.DependentRequired = map[string][]string{"delay": {"abort_on_fail"}}
	} else {
		long.Properties["abort_on_fail"] = &jsonschema.Schema{
			Enum: []any{false}, Description: "This metric is known at the end of a run.",
		}
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{ref(conditionName(d)), long}}
}
