package scenario

import (
	"encoding/json"

	"github.com/google/jsonschema-go/jsonschema"
)

// A form is the fields of one kind of mapping: how the parser reads each, and what
// the JSON Schema says of it.
type form[T any] struct {
	what   string // in messages, like "an entry of the cast"
	fields []member[T]
	// finish reads what depends on several fields. It may be nil.
	finish func(r *reader, f field, given map[string]field, into *T)
	// relate adds to the schema how the fields depend on one another. It may be nil.
	relate func(*jsonschema.Schema)
}

// A member is one field of a form.
type member[T any] struct {
	name, help string
	required   bool
	standard   any // the value of a field that is left out, as JSON; nil is none
	schema     func() *jsonschema.Schema
	read       func(r *reader, f field, into *T)
}

// put makes a member that reads a value to a place in T.
func put[T, V any](name string, v value[V], at func(*T) *V, help string) member[T] {
	return member[T]{name: name, help: help, schema: v.schema, read: func(r *reader, f field, into *T) {
		*at(into) = v.read(r, f, name)
	}}
}

// need returns the member as a required one.
func (m member[T]) need() member[T] { m.required = true; return m }

// or returns the member with the value that it has if it is left out.
func (m member[T]) or(standard any) member[T] { m.standard = standard; return m }

// read reads a mapping into a value that has the defaults.
func (m form[T]) read(r *reader, f field, into *T) {
	var names, required []string
	for _, x := range m.fields {
		names = append(names, x.name)
		if x.required {
			required = append(required, x.name)
		}
	}
	given := r.fields(f, m.what, names...)
	if given == nil {
		return
	}
	r.require(f, given, m.what, required...)
	for _, x := range m.fields {
		if v, ok := given[x.name]; ok {
			x.read(r, v, into)
		}
	}
	if m.finish != nil {
		m.finish(r, f, given, into)
	}
}

// named returns the form under another name in messages.
func (m form[T]) named(what string) form[T] { m.what = what; return m }

// schema is the form's JSON Schema.
func (m form[T]) schema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", AdditionalProperties: never(), Properties: map[string]*jsonschema.Schema{}}
	for _, x := range m.fields {
		p := x.schema()
		p.Description = x.help
		if x.standard != nil {
			p.Default = literal(x.standard)
		}
		s.Properties[x.name] = p
		s.PropertyOrder = append(s.PropertyOrder, x.name)
		if x.required {
			s.Required = append(s.Required, x.name)
		}
	}
	if m.relate != nil {
		m.relate(s)
	}
	return s
}

// A value is one kind of value: how it is read, and its schema.
type value[V any] struct {
	read   func(r *reader, f field, what string) V
	schema func() *jsonschema.Schema
}

// integer is a whole number from low to high.
func integer[V int | int64](low, high int64) value[V] {
	return value[V]{
		read: func(r *reader, f field, what string) V { return V(r.integer(f, what, low, high)) },
		schema: func() *jsonschema.Schema {
			return &jsonschema.Schema{Type: "integer", Minimum: new(float64(low)), Maximum: new(float64(high))}
		},
	}
}

// fraction is a number from low to high.
func fraction(low, high float64) value[float64] {
	return value[float64]{
		read: func(r *reader, f field, what string) float64 { return r.number(f, what, low, high) },
		schema: func() *jsonschema.Schema {
			return &jsonschema.Schema{Type: "number", Minimum: &low, Maximum: &high}
		},
	}
}

// words is text that fits a pattern of at most so many characters. The parser
// checks only that it is not empty; [Scenario.Validate] does the rest.
func words(pattern string, longest int) value[string] {
	return value[string]{
		read: (*reader).text,
		schema: func() *jsonschema.Schema {
			return &jsonschema.Schema{Type: "string", Pattern: pattern, MaxLength: &longest}
		},
	}
}

// oneOf is one of a few words.
func oneOf[V ~string](of ...V) value[V] {
	return value[V]{
		read:   func(r *reader, f field, what string) V { return choice(r, f, what, of...) },
		schema: func() *jsonschema.Schema { return &jsonschema.Schema{Enum: enum(of...)} },
	}
}

// formed is a mapping, read into a value that has the defaults.
func formed[V any](m form[V], defaults V) value[V] {
	return value[V]{
		read: func(r *reader, f field, _ string) V {
			v := defaults
			m.read(r, f, &v)
			return v
		},
		schema: m.schema,
	}
}

// pointer is a value that may be left out.
func pointer[V any](v value[V]) value[*V] {
	return value[*V]{
		read:   func(r *reader, f field, what string) *V { return new(v.read(r, f, what)) },
		schema: v.schema,
	}
}

// many is a list that is not empty. Messages call an item what it says.
func many[V any](item value[V], what string) value[[]V] {
	return value[[]V]{
		read: func(r *reader, f field, name string) (all []V) {
			for _, i := range r.items(f, name) {
				all = append(all, item.read(r, i, what))
			}
			return all
		},
		schema: func() *jsonschema.Schema {
			return &jsonschema.Schema{Type: "array", MinItems: new(1), Items: item.schema()}
		},
	}
}

// named is a value whose schema is a definition under $defs.
func named[V any](name string, v value[V]) value[V] {
	v.schema = func() *jsonschema.Schema { return ref(name) }
	return v
}

func ref(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/" + name} }

// never is the schema that nothing fits.
func never() *jsonschema.Schema { return &jsonschema.Schema{Not: &jsonschema.Schema{}} }

func enum[V ~string](of ...V) (all []any) {
	for _, v := range of {
		all = append(all, string(v))
	}
	return all
}

// is is the schema of an object whose field has one of a few values.
func is[V ~string](name string, of ...V) *jsonschema.Schema {
	return &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{name: {Enum: enum(of...)}}}
}

// literal is a value as JSON. The values are the tables' own.
func literal(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}
