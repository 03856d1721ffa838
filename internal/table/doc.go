// Package table aligns text in columns for terminals. It imports nothing of the
// project and keeps no state.
package table
