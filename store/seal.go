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

// sealFile is where a data directory keeps what it held when it was last opened or
// closed.
const sealFile = "seal.json"

// A seal tells damage that JetStream heals by forgetting: it reads the files of a
// stream as far as they can be read, and goes on with that. It is written at the
// opening, before anything new is, and at the closing.
type seal map[string]mark

// mark is what one bucket held.
type mark struct {
	// Last is the bucket's last sequence number: it never falls.
	Last uint64 `json:"last"`
	// Digest is that of the keys and revisions; empty where records expire.
	Digest string `json:"digest,omitempty"`
}

// marks takes the seal of what is there.
func (s *Store) marks(ctx context.Context) (seal, error) {
	digests := map[string]string{"rooms": s.rooms.digest(), "invites": s.invites.digest(), "accounts": s.accounts.digest()}
	now := seal{}
	for name, b := range s.buckets {
		status, err := b.Status(ctx)
		if err != nil {
			return nil, fmt.Errorf("look at the %s of the store: %w", name, err)
		}
		held, ok := status.(*jetstream.KeyValueBucketStatus)
		if !ok {
			return nil, fmt.Errorf("look at the %s of the store: no state in %T", name, status)
		}
		now[name] = mark{held.StreamInfo().State.LastSeq, digests[name]}
	}
	return now, nil
}

// unseal compares what is there with the last seal, and writes a new one.
func (s *Store) unseal(ctx context.Context, dir string) error {
	now, err := s.marks(ctx)
	if err != nil {
		return err
	}
	var before seal
	data, err := os.ReadFile(filepath.Join(dir, sealFile))
	if err == nil {
		err = json.Unmarshal(data, &before)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the seal of the data directory %s: %w", dir, err)
	}
	for name, was := range before {
		is, there := now[name]
		if !there || is.Last < was.Last || is.Last == was.Last && is.Digest != was.Digest {
			return fmt.Errorf("the data directory %s is damaged: some of its %s are lost (%d writes, there were %d); restore it from a copy, or remove %s in it to go on with what is left",
				dir, name, is.Last, was.Last, sealFile)
		}
	}
	return now.write(dir)
}

func (m seal) write(dir string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, sealFile)
	f, err := os.CreateTemp(dir, ".seal-*")
	if err != nil {
		return fmt.Errorf("seal the data directory: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("seal the data directory: %w", err), os.Remove(f.Name()))
	}
	return nil
}
