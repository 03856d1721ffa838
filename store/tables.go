package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/earshot-audio/earshot/store/kv"
	"github.com/earshot-audio/earshot/store/ledger"
)

// anyTable is what is done with every table alike, whatever its values are.
type anyTable interface {
	marks(into map[string]ledger.Mark)
	digest() string
	last() uint64
	damaged() []unreadable
	keepLedger(l *ledger.Ledger)
	share(c *cluster, b kv.JetStream)
}

// tables returns the tables by the names of their buckets: a kind of record that is not
// among them is neither checked nor shared.
func (s *Store) tables() map[string]anyTable {
	return map[string]anyTable{"rooms": s.rooms, "invites": s.invites, "accounts": s.accounts, "plans": s.plans}
}

// tableNames are the names of the tables in the order in which they are read.
func (s *Store) tableNames() []string { return slices.Sorted(maps.Keys(s.tables())) }

// openEach opens the buckets of tables, whose records are kept for ever.
func openEach(names []string, open func(name string, keep time.Duration) kv.Bucket) map[string]kv.Bucket {
	opened := map[string]kv.Bucket{}
	for _, name := range names {
		opened[name] = open(name, 0)
	}
	return opened
}

// load reads all tables. bucketOf returns the bucket of each by its name.
func (s *Store) load(ctx context.Context, bucketOf func(name string) kv.Bucket) (err error) {
	if s.rooms, err = newTable[roomRecord](ctx, "rooms", bucketOf("rooms"), s.health); err != nil {
		return err
	}
	if s.invites, err = newTable[Invite](ctx, "invites", bucketOf("invites"), s.health); err != nil {
		return err
	}
	if s.accounts, err = newTable[Account](ctx, "accounts", bucketOf("accounts"), s.health); err != nil {
		return err
	}
	if s.plans, err = newTable[Plan](ctx, "plans", bucketOf("plans"), s.health); err != nil {
		return err
	}
	s.redemptions.queues = make(map[string][]*redemption)
	return nil
}
