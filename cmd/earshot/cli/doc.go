// Package cli has what the commands of earshot share: exit codes, the check of arguments, files
// that flags name, and how a server is reached.
//
// Results go to standard output; progress, warnings and errors go to standard error.
package cli
