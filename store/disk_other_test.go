//go:build !linux

package store

func limitedChild() bool { return false }
