// Package problem counts the errors that do not end a run, by what failed and the kind of
// the error, and knows which of them are the generator's own.
//
// A [Counter] takes any number of errors in bounded memory: those whose texts differ in
// addresses, names and times alone count together. It is safe for concurrent use. A
// [Problem] is a value; the workers of a run tell theirs to the coordinator, which merges
// them.
package problem
