package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/earshot-audio/earshot/store/kv"
	"github.com/earshot-audio/earshot/store/stateserver"
)

const (
	// importMark is the secret that says how far that has come: one of the other two, or nothing.
	importMark  = "import"
	importBegun = "begun"
	importDone  = "done"
)

// Import begins a cluster with all that a single server has kept in a directory, and with its secrets, by name.
// It does nothing if that has been done, and goes on where an import was broken off. A cluster that has
// anything of its own is refused, and so is a directory that a server uses.
func (s *Store) Import(ctx context.Context, dir string, secrets map[string]string) error {
	marks, err := s.openSecrets(ctx)
	if err != nil {
		return err
	}
	mark, err := marks.Get(ctx, importMark)
	switch {
	case errors.Is(err, ErrNotFound):
		err = s.mayImport(ctx, marks)
	case err == nil && string(mark.Data) == importDone:
		s.log.Info("what the single server had kept was imported before: --import does nothing any more")
		return nil
	}
	if err != nil {
		return err
	}
	from, err := Open(ctx, Config{Dir: dir, Log: s.log})
	if err != nil {
		return fmt.Errorf("import what a single server has kept: %w", err)
	}
	err = s.importFrom(ctx, from, marks, secrets)
	return errors.Join(err, from.Close())
}

// EndImport tells the others that nothing is imported any more.
func (s *Store) EndImport() {
	s.imported()
	if s.peer != nil {
		s.peer.EndImport()
	}
}

// mayImport marks that an import begins, unless the cluster has been used.
func (s *Store) mayImport(ctx context.Context, marks kv.Bucket) error {
	used := len(s.rooms.all()) + len(s.invites.all()) + len(s.accounts.all()) + len(s.plans.all())
	if err := marks.Each(ctx, func(kv.Record) error { used++; return nil }); err != nil {
		return fmt.Errorf("read the secrets of the cluster: %w", err)
	}
	if used > 0 {
		return errors.New("import what a single server has kept: the cluster has been in use, and an import needs a new one")
	}
	_, err := marks.Put(ctx, importMark, []byte(importBegun), 0)
	if err != nil {
		return fmt.Errorf("begin the import: %w", err)
	}
	return nil
}

func (s *Store) importFrom(ctx context.Context, from *Store, marks kv.Bucket, secrets map[string]string) error {
	copied := 0
	for _, name := range slices.Sorted(maps.Keys(from.buckets)) {
		n, err := copyRecords(ctx, from.buckets[name], s.sharedBucket(name, s.buckets[name]))
		if err != nil {
			return fmt.Errorf("import the %s: %w", name, err)
		}
		copied += n
	}
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if err := putSame(ctx, marks, kv.Record{Key: name, Data: []byte(secrets[name])}); err != nil {
			return fmt.Errorf("import the secret %s: %w", name, err)
		}
	}
	begun, err := marks.Get(ctx, importMark)
	if err == nil {
		_, err = marks.Put(ctx, importMark, []byte(importDone), begun.Revision)
	}
	if err != nil {
		return fmt.Errorf("end the import: %w", err)
	}
	s.cluster.reconnected() // what was read when it was opened is too old
	s.log.Info("imported what the single server has kept", "records", copied)
	return nil
}

// copyRecords copies what one bucket holds into another.
func copyRecords(ctx context.Context, from, to kv.Bucket) (copied int, err error) {
	var all []kv.Record
	if err := from.Each(ctx, func(r kv.Record) error { all = append(all, r); return nil }); err != nil {
		return 0, err
	}
	for _, r := range all {
		if err := putSame(ctx, to, r); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// putSame writes a record that is not there yet, or is there with the same content.
func putSame(ctx context.Context, to kv.Bucket, r kv.Record) error {
	_, err := to.Put(ctx, r.Key, r.Data, 0)
	if !errors.Is(err, kv.ErrConflict) {
		return err
	}
	there, err := to.Get(ctx, r.Key)
	if err == nil && !bytes.Equal(there.Data, r.Data) {
		err = fmt.Errorf("%s: %w", readableKey(r.Key), kv.ErrConflict)
	}
	return err
}

// joinOthers follows what the other servers of the cluster write, if there is one.
func (s *Store) joinOthers(ctx context.Context, cfg Config) error {
	if cfg.Node == "" {
		return nil
	}
	if !cfg.Importing {
		if err := s.checkImport(ctx); err != nil {
			return err
		}
	}
	s.follow()
	return nil
}

// checkImport returns [ErrImport] if another server imports, or has begun to.
func (s *Store) checkImport(ctx context.Context) error {
	if stateserver.Importing(s.conn) {
		return ErrImport
	}
	marks, err := s.openSecrets(ctx)
	if err != nil {
		return err
	}
	mark, err := marks.Get(ctx, importMark)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err == nil && string(mark.Data) == importBegun:
		return ErrImport
	}
	return err
}

// openSecrets opens the secrets of the cluster.
func (s *Store) openSecrets(ctx context.Context) (kv.Bucket, error) {
	js, err := jetstream.New(s.conn, jetstream.WithDefaultTimeout(kv.OperationTimeout))
	if err != nil {
		return nil, err
	}
	secrets, err := s.openBucket(ctx, js, jetstream.KeyValueConfig{Bucket: "earshot-" + secretsBucket, History: 1, Storage: jetstream.FileStorage})
	if err != nil {
		return nil, fmt.Errorf("open the secrets of the cluster: %w", err)
	}
	return s.sharedBucket(secretsBucket, kv.JetStream{KV: secrets}), nil
}
