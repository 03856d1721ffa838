// Package report judges a run and reports it to people and programs: a verdict,
// a text in the layout that k6's users know, the summary of the contract as
// JSON, and the page of a run that goes on.
package report
