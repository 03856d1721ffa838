// Package watch shows a run to those who watch it: people, on a page that
// follows it, and Prometheus. All see the run by its snapshots, and
// cost it nothing while nobody looks. [Figures] are also what package push sends.
package watch

//go:generate go test -run ^TestGrafanaDashboardIsGenerated$ . -update
