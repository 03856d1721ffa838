// Package panel is the page that shows an operator what a server does: its rooms and
// halls, packets per second and per core. It renders the samples that it is given and
// holds the short history that its charts need. It starts no goroutines. The page's languages are those of
// package web, whose files it takes from the same server.
package panel
