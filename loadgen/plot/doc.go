// Package plot turns what a run measured into charts, by the question that they answer: over the
// time of the run, and as distributions over packets and listeners. A chart of what was not measured
// has no points. How a chart is drawn is internal/chart's, and where it stands on a page the report's.
package plot
