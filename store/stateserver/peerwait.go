package stateserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// peerAnswer is how long an answer of the peers' leader is waited for, when there may be none.
const peerAnswer = time.Second

// missing says, in words, what a peer that starts waits for; nothing: it can be used.
func (p *Peer) missing(ctx context.Context, conn *nats.Conn) (string, error) {
	absent, err := p.absent()
	if err != nil {
		return "", err
	}
	if 2*len(absent) > len(p.set.Others) {
		return nodesInWords(absent), nil // most of them are away
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, peerAnswer)
	defer cancel()
	owner, err := js.Stream(ctx, "KV_"+OwnerBucket)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound) && len(absent) > 0:
		return nodesInWords(absent) + ", since a cluster begins with all of its nodes", nil
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return p.othersImport(conn), nil
	case err != nil:
		return "the nodes to choose who of them leads", nil
	}
	if now, err := owner.Info(ctx); err != nil || now.Cluster == nil || now.Cluster.Leader == "" {
		return "the nodes to choose who of them leads", nil
	}
	if healthy := p.server.Healthz(&server.HealthzOptions{}); healthy.Error != "" {
		return "what the others have written meanwhile", nil
	}
	return p.othersImport(conn), nil
}

// othersImport says that another node imports, in words; nothing: none does.
func (p *Peer) othersImport(conn *nats.Conn) string {
	if p.imported != nil || !Importing(conn) {
		return ""
	}
	return "the node with --import, which fills the cluster"
}

// absent returns the other peers that there is no connection to.
func (p *Peer) absent() ([]string, error) {
	routes, err := p.server.Routez(nil)
	if err != nil {
		return nil, fmt.Errorf("ask the embedded NATS server for its peers: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(p.set.Others), func(other string) bool {
		return slices.ContainsFunc(routes.Routes, func(r *server.RouteInfo) bool { return r.RemoteName == other })
	}), nil
}

// nodesInWords is "two more nodes: a, b".
func nodesInWords(names []string) string {
	counts := []string{"", "one more node: ", "two more nodes: "}
	if len(names) >= len(counts) {
		return fmt.Sprintf("%d more nodes: %s", len(names), strings.Join(names, ", "))
	}
	return counts[len(names)] + strings.Join(names, ", ")
}
