package ledger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const (
	// File is the file in a data directory that says what its records are.
	File = "ledger"
	// slack is how many lines more than records a ledger may have before it is
	// written anew.
	slack = 50_000
)

// Ledger says what each record was when its writing was acknowledged: its revision and
// a checksum. JetStream reads its files as far as they are intact, and goes on with that:
// what is read at the start is held against the ledger. A line is written and synced
// after the record and before the acknowledgement. It is safe for concurrent use.
type Ledger struct {
	dir   string
	write sync.Mutex // held while lines are written

	mu      sync.Mutex
	file    *os.File
	marks   map[string]Mark // by bucket and key, with a space between
	lines   int
	waiting *lineBatch
}

// Mark is the last state of a record.
type Mark struct {
	Kind     Kind
	Revision uint64 // for a removed one, that of before
	Sum      uint32
}

// Kind is what was last done to a record.
type Kind byte

const (
	Written Kind = '+'
	// Removing: it is about to be removed, so that it may be there or not.
	Removing Kind = '?'
	Removed  Kind = '-'
)

// lineBatch is lines that are written together.
type lineBatch struct {
	text bytes.Buffer
	done chan struct{}
	err  error
}

func (m Mark) line(name string) string {
	text := fmt.Sprintf("%c %s %d %08x", m.Kind, name, m.Revision, m.Sum)
	return fmt.Sprintf("%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

// parseLine reads a line; false: it is damaged.
func parseLine(line string) (name string, m Mark, ok bool) {
	at := strings.LastIndexByte(line, ' ')
	if at < 0 || fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(line[:at]))) != line[at+1:] {
		return "", Mark{}, false
	}
	var kind, bucket, key string
	if _, err := fmt.Sscanf(line[:at], "%s %s %s %d %x", &kind, &bucket, &key, &m.Revision, &m.Sum); err != nil || len(kind) != 1 {
		return "", Mark{}, false
	}
	m.Kind = Kind(kind[0])
	return bucket + " " + key, m, true
}

// Read reads the ledger of a directory, and how many of its lines are damaged,
// but for a last one that was never ended. A directory of an earlier version has none.
func Read(dir string) (marks map[string]Mark, damaged int, err error) {
	data, err := os.ReadFile(filepath.Join(dir, File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	} else if err != nil {
		return nil, 0, fmt.Errorf("read the ledger of the data directory: %w", err)
	}
	marks = map[string]Mark{}
	if end := bytes.LastIndexByte(data, '\n'); end >= 0 {
		for line := range strings.SplitSeq(string(data[:end]), "\n") {
			if name, m, ok := parseLine(line); ok {
				marks[name] = m
			} else {
				damaged++
			}
		}
	}
	return marks, damaged, nil
}

// New writes a ledger of what there is, in place of the one of before.
func New(dir string, marks map[string]Mark) (*Ledger, error) {
	l := &Ledger{dir: dir, marks: marks}
	if err := l.rewrite(); err != nil {
		return nil, err
	}
	return l, nil
}

// rewrite writes a line for each record that is there. l.write is held, or nobody else
// has the ledger yet.
func (l *Ledger) rewrite() error {
	path := filepath.Join(l.dir, File)
	f, err := os.CreateTemp(l.dir, ".ledger-*")
	if err != nil {
		return fmt.Errorf("write the ledger of the data directory: %w", err)
	}
	l.mu.Lock()
	w := bufio.NewWriter(f)
	lines := 0
	for name, m := range l.marks {
		if m.Kind == Removed {
			delete(l.marks, name) // the record is gone, and stays so
			continue
		}
		lines++
		_, _ = w.WriteString(m.line(name)) // Flush gives the error
	}
	l.mu.Unlock()
	if err = errors.Join(w.Flush(), f.Sync()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the ledger of the data directory: %w", err), f.Close(), os.Remove(f.Name()))
	}
	l.mu.Lock()
	old := l.file
	l.file, l.lines = f, lines
	l.mu.Unlock()
	if old != nil {
		_ = old.Close() // all of it is in the new one
	}
	return nil
}

// Note notes a record that has been written or removed, and returns when that is on the
// disk. Notes that come at the same time are written together. A nil Ledger notes nothing.
func (l *Ledger) Note(bucket, key string, m Mark) error {
	if l == nil {
		return nil
	}
	name := bucket + " " + key
	l.mu.Lock()
	if was := l.marks[name]; was.Revision > m.Revision {
		l.mu.Unlock()
		return nil // a later write of the same record has been noted
	}
	l.marks[name] = m
	b := l.waiting
	first := b == nil
	if first {
		b = &lineBatch{done: make(chan struct{})}
		l.waiting = b
	}
	b.text.WriteString(m.line(name))
	l.lines++
	l.mu.Unlock()
	if first {
		l.flush(b)
	}
	<-b.done
	return b.err
}

// flush writes a batch, when the one before is written.
func (l *Ledger) flush(b *lineBatch) {
	defer close(b.done)
	l.write.Lock()
	defer l.write.Unlock()
	l.mu.Lock()
	l.waiting = nil
	tooLong := l.lines > 2*len(l.marks)+slack
	f := l.file
	l.mu.Unlock()
	if b.err = l.inPlace(); b.err != nil {
		return
	}
	if tooLong {
		b.err = l.rewrite()
		return
	}
	_, err := f.Write(b.text.Bytes())
	if err = errors.Join(err, f.Sync()); err != nil {
		b.err = fmt.Errorf("write the ledger of the data directory: %w", err)
	}
}

// inPlace returns an error if the data directory is no longer where it was: what is
// written to files that have been removed is lost.
func (l *Ledger) inPlace() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	f := l.file
	l.mu.Unlock()
	open, err := f.Stat()
	if err == nil {
		var there fs.FileInfo
		if there, err = os.Stat(filepath.Join(l.dir, File)); err == nil && !os.SameFile(open, there) {
			err = errors.New("another is in its place")
		}
	}
	if err == nil {
		_, err = os.Stat(filepath.Join(l.dir, "jetstream"))
	}
	if err != nil {
		return fmt.Errorf("the data directory %s was removed or replaced while the server ran: %w", l.dir, err)
	}
	return nil
}

// Check returns an error if the data directory is no longer where it was, for those who write nothing. A
// nil Ledger has no directory.
func (l *Ledger) Check() error {
	if l == nil {
		return nil
	}
	l.write.Lock() // the file is replaced at times
	defer l.write.Unlock()
	return l.inPlace()
}

// Close closes the file. Nothing may be noted after that.
func (l *Ledger) Close() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}

// Compare returns what is wrong with the records that were read, in words, by the
// ledger. readable makes a key one that people can read.
func Compare(noted, read map[string]Mark, readable func(key string) string) (wrong []string) {
	for name, was := range noted {
		is, there := read[name]
		bucket, key, _ := strings.Cut(name, " ")
		what := ""
		switch {
		case was.Kind == Removed && there && is.Revision <= was.Revision:
			what = "is back, having been removed"
		case was.Kind != Written:
		case !there:
			what = "is lost"
		case is.Revision < was.Revision:
			what = fmt.Sprintf("is an old one (write %d, there was %d)", is.Revision, was.Revision)
		case is.Revision == was.Revision && is.Sum != was.Sum:
			what = "is not what was written"
		}
		if what != "" {
			wrong = append(wrong, fmt.Sprintf("the record %s of the %s %s", readable(key), bucket, what))
		}
	}
	slices.Sort(wrong)
	return wrong
}
