// Package chart draws plots as SVG that needs no script: for reports, pages and
// documentation. gonum.org/v1/plot lays them out; what is written are elements
// with classes and no style of their own, so that a page under a strict
// Content-Security-Policy can show them, and [CSS] gives them colours for light
// and dark. Every plot carries its title and a description for those who can't
// see it.
package chart
