package nodes

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// passWait is how long another node may take to answer a request.
const passWait = 15 * time.Second

// Elsewhere returns the WebSocket URL of the node that has a room, if it is another one and
// lets the token's holder see the room; empty: no other node has it.
func (n *Nodes) Elsewhere(id, token string) (string, error) {
	node, err := n.nodeOf(id)
	if err != nil || node == "" {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), passWait)
	defer cancel()
	// Its rules know who may see it, and who was put out.
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/api/rooms/"+url.PathEscape(id), http.NoBody)
	if err != nil {
		return "", err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set(askHeader, "1")
	answer, err := n.cluster.Pass(ctx, node, r)
	if err != nil {
		return "", errMoving
	}
	if err := refusalOf(answer); err != nil {
		return "", err
	}
	there, ok := n.cluster.Find(node)
	if !ok {
		return "", errMoving
	}
	n.metrics.redirects.WithLabelValues("place").Inc()
	return socketURL(there.URL), nil
}

// nodeOf returns the other node that has a room; empty: no room, or it is here.
func (n *Nodes) nodeOf(id string) (node string, err error) {
	if n.cluster.CutOff() {
		return "", errCutOff
	}
	if n.rooms.Has(id) {
		return "", nil
	}
	owner, there := n.cfg.Store.Owner(id)
	if !there && wire.ValidRoom(id) {
		// Another node may have made it so lately that this one has not heard of it: who made
		// it, and comes here next, must not be told that there is none.
		if err := n.cfg.Store.RefreshRoom(context.Background(), id); err != nil {
			return "", err
		}
		owner, there = n.cfg.Store.Owner(id)
	}
	switch {
	case !there:
		return "", nil
	case owner == "" || owner == n.cfg.Self.ID:
		return "", errMoving
	}
	if _, ok := n.cluster.Find(owner); !ok || n.cluster.Silent(owner) {
		return "", errMoving
	}
	return owner, nil
}

// socketURL returns the URL of a node's WebSockets.
func socketURL(base string) string {
	return "ws" + strings.TrimPrefix(strings.TrimSuffix(base, "/"), "http") + "/ws"
}
