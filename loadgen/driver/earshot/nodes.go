package earshot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// nodeList is the servers of the target's cluster, by their numbers: they are asked for once,
// so that a number stays that of a server whatever happens to it.
type nodeList struct {
	mu  sync.Mutex
	ids []string // the oldest first; nil: not asked for yet
}

type listedNode struct {
	ID      string    `json:"node"`
	Started time.Time `json:"started_at"`
}

// node returns the id of a server of the cluster, by its number from 1.
func (d *Driver) node(ctx context.Context, number int) (string, error) {
	d.nodes.mu.Lock()
	defer d.nodes.mu.Unlock()
	if d.nodes.ids == nil {
		var answer struct {
			Nodes []listedNode `json:"nodes"`
		}
		err := d.call(ctx, http.MethodGet, "/api/nodes", d.token, nil, &answer)
		var refusal wire.Error
		if errors.As(err, &refusal) && refusal.Code == wire.CodeNotFound {
			return "", fmt.Errorf("%w: %s is no cluster, and the scenario names its node %d", driver.ErrUnsupported, d.base, number)
		}
		if err != nil {
			return "", fmt.Errorf("ask for the nodes of the cluster: %w", err)
		}
		slices.SortStableFunc(answer.Nodes, func(a, b listedNode) int { return a.Started.Compare(b.Started) })
		for _, n := range answer.Nodes {
			d.nodes.ids = append(d.nodes.ids, n.ID)
		}
	}
	if number > len(d.nodes.ids) {
		return "", fmt.Errorf("%w: the cluster has %d nodes, and the scenario names node %d", driver.ErrUnsupported, len(d.nodes.ids), number)
	}
	return d.nodes.ids[number-1], nil
}

// ListenAt implements driver.Placed.
func (s *connection) ListenAt(ctx context.Context, number int, offer string) (string, error) {
	id, err := s.driver.node(ctx, number)
	if err != nil {
		return "", err
	}
	return s.offer(ctx, wire.Offer{Media: wire.MediaEar, SDP: offer, Node: id})
}
