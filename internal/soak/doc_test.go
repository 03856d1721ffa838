// Package soak_test lets people, moderators, restarts and bad networks loose on the real
// server for as long as make soak says, and requires that everything is back where it
// was when they have gone.
package soak_test
