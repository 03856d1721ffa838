// Package watch shows a run to those who watch it: people, on a page that
// follows it, and Prometheus. Both see the run by its snapshots, and
// cost it nothing while nobody looks.
package watch
