// Package panel is the page that shows an operator what a server does: its
// rooms and halls, packets a second and per core. It draws what it is given and
// keeps the little history that its plots need; it asks nobody.
package panel
