package fanout

import (
	"fmt"
	"runtime"
	"time"
)

// ShardsConfig configures shards. The zero value of a field takes its default.
type ShardsConfig struct {
	// Count is how many goroutines send, by default GOMAXPROCS.
	Count int
	// Now is the clock, by default time.Now: the one that the routers have.
	Now func() time.Time
	// NewSendBatch, if there is one, makes the batch of each shard, 0 to Count-1.
	NewSendBatch func(shard int) SendBatch
	// Prefetch, if there is one, is called with a few sinks just before they are
	// sent packets in the sections whose bits are set (bit 0 is section 0), to ask for
	// their memory. It is a hint: a sink may be left out.
	Prefetch func(sections uint64, sinks []Sink)
}

// Shards send for all routers that were made with them: what waits in many small
// rooms leaves together, as what waits in one large room does.
type Shards struct{ list []*shard }

// NewShards starts the goroutines; Close stops them. A negative number is an error.
func NewShards(cfg ShardsConfig) (*Shards, error) {
	if cfg.Count < 0 {
		return nil, fmt.Errorf("shards must not be negative, they are %d", cfg.Count)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Shards{}
	for i := range orDefault(cfg.Count, runtime.GOMAXPROCS(0)) {
		one := newShard(i, cfg)
		s.list = append(s.list, one)
		go one.run()
	}
	return s, nil
}

// Close stops the goroutines and waits for them. Packets that wait are discarded. The
// routers should be closed before; those that are not send nothing any more.
func (s *Shards) Close() {
	for _, one := range s.list {
		one.queue.close()
	}
	for _, one := range s.list {
		<-one.ended
	}
}
