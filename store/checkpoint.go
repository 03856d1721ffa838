package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/internal/wholefile"
	"github.com/earshot-audio/earshot/store/ledger"
)

// checkpointFile is the file in a data directory that holds its last checkpoint.
// Directories of v0.1.0 have it under this name, so the name stays.
const checkpointFile = "seal.json"

// checkpoint says what the buckets held, by name. It reveals damage that JetStream
// hides: JetStream reads the files of a stream as far as they are intact, and goes
// on with that. A checkpoint is written when the store is opened, before anything
// else is written, and when it is closed.
type checkpoint map[string]bucketMark

// checkpointVersion is the name under which a checkpoint has the version of the records,
// as its last sequence number. v0.1.0 takes it for a bucket, and would drop what it does
// not know from the records: so it refuses the directory, with these words.
const checkpointVersion = "records that a newer earshot wrote (run that version)"

// bucketMark is what one bucket held.
type bucketMark struct {
	// Last is the bucket's last sequence number, which never decreases.
	Last uint64 `json:"last"`
	// Digest is the digest of the keys and revisions; empty if records expire.
	Digest string `json:"digest,omitempty"`
}

// takeCheckpoint returns the checkpoint of what the buckets hold now.
func (s *Store) takeCheckpoint(ctx context.Context) (checkpoint, error) {
	tables := s.tables()
	now := checkpoint{}
	for name, b := range s.buckets {
		state, err := b.State(ctx)
		if err != nil {
			return nil, fmt.Errorf("look at the %s of the store: %w", name, err)
		}
		now[name] = bucketMark{Last: state.LastSeq}
		if t, ok := tables[name]; ok {
			now[name] = bucketMark{state.LastSeq, t.digest()}
		}
	}
	now[checkpointVersion] = bucketMark{Last: recordVersion}
	return now, nil
}

// verify holds what was read against the ledger and the last checkpoint, and writes new
// ones. What is wrong is an error, or with [Config.Repair] logged.
func (s *Store) verify(ctx context.Context, cfg Config) error {
	wrong, read, err := s.findDamage(ctx, cfg.Dir)
	if err != nil {
		return err
	}
	if len(wrong) > 0 && !cfg.Repair {
		return damaged(cfg.Dir, firstFew(wrong)...)
	}
	for _, w := range wrong {
		s.log.Warn("repaired the data directory", "damage", w)
	}
	if s.ledger, err = ledger.New(cfg.Dir, read); err != nil {
		return err
	}
	for _, t := range s.tables() {
		t.keepLedger(s.ledger)
	}
	now, err := s.takeCheckpoint(ctx)
	if err != nil {
		return err
	}
	return now.write(cfg.Dir)
}

// dropUnreadable returns an error for records that nobody can read, or with Repair drops
// them.
func (s *Store) dropUnreadable(ctx context.Context, cfg Config) error {
	var texts []string
	var all []unreadable
	for _, name := range s.tableNames() {
		all = append(all, s.tables()[name].damaged()...)
	}
	for _, u := range all {
		if s.embedded == nil {
			return fmt.Errorf("the NATS server of the store is damaged: %w; restore it from a copy", u.err)
		}
		texts = append(texts, u.err.Error())
		if !cfg.Repair {
			continue
		}
		if err := u.bucket.Remove(ctx, u.key); err != nil {
			return fmt.Errorf("drop a record that cannot be read: %w", err)
		}
		s.log.Warn("repaired the data directory", "damage", u.err)
	}
	if len(texts) > 0 && !cfg.Repair {
		return damaged(cfg.Dir, firstFew(texts)...)
	}
	return nil
}

// damaged returns the error of a directory with damage, in words.
func damaged(dir string, wrong ...string) error {
	return fmt.Errorf("the data directory %s is damaged: %s; restore it from a copy, or let earshot serve --repair go on with what is left",
		dir, strings.Join(wrong, "; "))
}

// findDamage returns what is wrong with the records in words, and what was read.
func (s *Store) findDamage(ctx context.Context, dir string) (wrong []string, read map[string]ledger.Mark, err error) {
	noted, unread, err := ledger.Read(dir)
	if err != nil {
		return nil, nil, err
	}
	read = map[string]ledger.Mark{}
	for _, t := range s.tables() {
		t.marks(read)
	}
	now, err := s.takeCheckpoint(ctx)
	if err != nil {
		return nil, nil, err
	}
	before, err := readCheckpoint(dir)
	if err != nil {
		wrong, before = append(wrong, err.Error()), checkpoint{}
	}
	if before == nil {
		return nil, read, nil // a new directory, or somebody who has removed it knows better
	}
	if _, versioned := before[checkpointVersion]; versioned && noted == nil {
		wrong = append(wrong, "its ledger is lost") // v0.1.0 had none, and no version
	}
	for name, was := range before {
		is, there := now[name]
		if !there || is.Last < was.Last || is.Last == was.Last && is.Digest != was.Digest {
			wrong = append(wrong, fmt.Sprintf("some of its %s are lost (%d writes, there were %d)", name, is.Last, was.Last))
		}
	}
	wrong = append(wrong, ledger.Compare(noted, read, readableKey)...)
	if unread > 0 {
		wrong = append(wrong, fmt.Sprintf("%d lines of its ledger cannot be read", unread))
	}
	return wrong, read, nil
}

// firstFew shortens a long list.
func firstFew(list []string) []string {
	const few = 10
	if len(list) <= few {
		return list
	}
	return append(slices.Clone(list[:few]), fmt.Sprintf("and %d more", len(list)-few))
}

func readCheckpoint(dir string) (before checkpoint, err error) {
	data, err := os.ReadFile(filepath.Join(dir, checkpointFile))
	if err == nil {
		err = json.Unmarshal(data, &before)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("its checkpoint cannot be read: %w", err)
	}
	return before, nil
}

// prepareRepair copies the records of a directory that is to be repaired into it. Then it
// removes the indexes, so that JetStream reads the records themselves.
func prepareRepair(cfg Config) error {
	to := filepath.Join(cfg.Dir, "damaged-"+time.Now().UTC().Format("20060102-150405"))
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("copy the damaged records: %w", err)
	}
	for _, name := range []string{"jetstream", ledger.File, checkpointFile} {
		from := filepath.Join(cfg.Dir, name)
		info, err := os.Stat(from)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err == nil && info.IsDir():
			err = os.CopyFS(filepath.Join(to, name), os.DirFS(from))
		case err == nil:
			var data []byte
			if data, err = os.ReadFile(from); err == nil {
				err = wholefile.Bytes(filepath.Join(to, name), wholefile.Private, data)
			}
		}
		if err != nil {
			return fmt.Errorf("copy the damaged records: %w", err)
		}
	}
	cfg.Log.Warn("kept a copy of the records before the repair", "directory", to)
	indexes, err := filepath.Glob(filepath.Join(cfg.Dir, "jetstream", "*", "streams", "*", "msgs", "index.db"))
	for _, path := range indexes {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// checkVersion refuses a directory that a newer program has written to, before anything in
// it is touched. What else is wrong with its checkpoint is found later.
func checkVersion(dir string) error {
	before, _ := readCheckpoint(dir)
	if wrote := before[checkpointVersion].Last; wrote > recordVersion {
		return fmt.Errorf("the data directory %s: %w (its records are version %d, this one knows %d)", dir, ErrNewer, wrote, recordVersion)
	}
	return nil
}

func (c checkpoint) write(dir string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := wholefile.Bytes(filepath.Join(dir, checkpointFile), wholefile.Private, data); err != nil {
		return fmt.Errorf("write the checkpoint of the data directory: %w", err)
	}
	return nil
}
