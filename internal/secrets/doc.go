// Package secrets keeps the secrets of a server in files of its data directory:
// tokens, keys, and a self-signed certificate. Files are written with mode 0600,
// atomically and synced. Reading them is safe for concurrent use; one process
// writes a directory.
package secrets
