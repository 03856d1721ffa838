// Package chart draws charts as SVG without scripts: for reports, pages and
// documents. Elements have classes and no style of their own, so that a page with a
// strict Content-Security-Policy can show them; [CSS] gives the classes colours, in
// light and dark. Every chart has a title and a description for screen readers.
//
// A [Chart] is data, and drawing it changes nothing, so charts may be drawn
// concurrently. The package imports nothing of the project.
package chart
