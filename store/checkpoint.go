package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nats.go/jetstream"
)

// checkpointFile is the file in a data directory that holds its last checkpoint.
// Directories of v0.1.0 have it under this name, so the name stays.
const checkpointFile = "seal.json"

// checkpoint says what the buckets held, by name. It reveals damage that JetStream
// hides: JetStream reads the files of a stream as far as they are intact, and goes
// on with that. A checkpoint is written when the store is opened, before anything
// else is written, and when it is closed.
type checkpoint map[string]bucketMark

// bucketMark is what one bucket held.
type bucketMark struct {
	// Last is the bucket's last sequence number, which never decreases.
	Last uint64 `json:"last"`
	// Digest is the digest of the keys and revisions; empty if records expire.
	Digest string `json:"digest,omitempty"`
}

// takeCheckpoint returns the checkpoint of what the buckets hold now.
func (s *Store) takeCheckpoint(ctx context.Context) (checkpoint, error) {
	digests := map[string]string{"rooms": s.rooms.digest(), "invites": s.invites.digest(), "accounts": s.accounts.digest()}
	now := checkpoint{}
	for name, b := range s.buckets {
		status, err := b.Status(ctx)
		if err != nil {
			return nil, fmt.Errorf("look at the %s of the store: %w", name, err)
		}
		held, ok := status.(*jetstream.KeyValueBucketStatus)
		if !ok {
			return nil, fmt.Errorf("look at the %s of the store: no state in %T", name, status)
		}
		now[name] = bucketMark{held.StreamInfo().State.LastSeq, digests[name]}
	}
	return now, nil
}

// verifyCheckpoint compares the buckets with the last checkpoint, and writes a new
// one.
func (s *Store) verifyCheckpoint(ctx context.Context, dir string) error {
	now, err := s.takeCheckpoint(ctx)
	if err != nil {
		return err
	}
	var before checkpoint
	data, err := os.ReadFile(filepath.Join(dir, checkpointFile))
	if err == nil {
		err = json.Unmarshal(data, &before)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the checkpoint of the data directory %s: %w", dir, err)
	}
	for name, was := range before {
		is, there := now[name]
		if !there || is.Last < was.Last || is.Last == was.Last && is.Digest != was.Digest {
			return fmt.Errorf("the data directory %s is damaged: some of its %s are lost (%d writes, there were %d); restore it from a copy, or remove %s in it to go on with what is left",
				dir, name, is.Last, was.Last, checkpointFile)
		}
	}
	return now.write(dir)
}

func (c checkpoint) write(dir string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, checkpointFile)
	f, err := os.CreateTemp(dir, ".checkpoint-*")
	if err != nil {
		return fmt.Errorf("write the checkpoint of the data directory: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the checkpoint of the data directory: %w", err), os.Remove(f.Name()))
	}
	return nil
}
