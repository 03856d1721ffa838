// Package report judges a run and tells people and programs of it: a verdict,
// a text in the layout that k6's users know, the summary of the contract as
// JSON, and the progress while the run goes on.
package report
