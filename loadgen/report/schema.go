package report

import (
	_ "embed" // for the schema
	"slices"
)

//go:embed summary.schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of the summary. The caller owns the
// slice.
func Schema() []byte { return slices.Clone(schema) }
