package scenario

import (
	_ "embed" // for the schema
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of scenario files, for editors. The
// parser is the stricter of the two: a schema can't compare one field with
// another. The caller owns the slice.
func Schema() []byte { return slices.Clone(schema) }
