// Package figure is the numbers of runs that are set side by side: over loads by
// loadgen/capacity, between versions by loadgen/compare, and between servers by
// loadgen/versus. A [Figure] says which number of a metric it is and how to write
// it; a [Source] is the run that it is read from. The package computes nothing: a
// figure that a run did not measure is absent, and never zero.
//
// Figures are values, and safe for concurrent use as far as their sources are.
package figure
