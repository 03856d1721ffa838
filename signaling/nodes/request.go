package nodes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// askHeader marks what a node asks another on its own behalf. It means nothing on a
// request of a client, from which it is removed.
const askHeader = "Earshot-Node-Asks"

var (
	errMoving   = wire.NewError(wire.CodeUnavailable, "the room is on its way to another server; try again")
	errCutOff   = wire.NewError(wire.CodeUnavailable, "this server is cut off from the others; try another")
	errDraining = wire.NewError(wire.CodeUnavailable, "this server is draining")
	errNoNode   = wire.NewError(wire.CodeNotFound, "there is no such node")
	errNotThere = wire.NewError(wire.CodeUnavailable, "the node does not open the ear: it is full, draining, or gone")
	errJoining  = wire.NewError(wire.CodeUnavailable, "this server has not joined its cluster yet")
)

// passedKey marks the context of a request that another node has passed on.
type passedKey struct{}

// passed serves a request that another node has passed on.
func (n *Nodes) passed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-n.in:
		case <-r.Context().Done(): // this node could not join after all
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), passedKey{}, true))
		switch {
		case r.URL.Path == earPath && AskedByNode(r):
			n.halls.serveEar(w, r)
		case r.URL.Path == earlierPath && AskedByNode(r):
			n.serveEarlier(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// AskedByNode reports whether another node asks, on its own behalf: it has counted its
// client's request.
func AskedByNode(r *http.Request) bool {
	return r.Context().Value(passedKey{}) != nil && r.Header.Get(askHeader) != ""
}

// Route passes requests on to the node that they are for, and serves the others by next.
func (n *Nodes) Route(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		passed := r.Context().Value(passedKey{}) != nil
		if !passed {
			r.Header.Del(askHeader)
		}
		node, err := n.target(w, r)
		switch {
		case isSession(r) && AskedByNode(r):
			next.ServeHTTP(w, r) // what is left here of a room that has moved
		case isSession(r) && (errors.Is(err, errMoving) || err == nil && node == "" && n.hasMoved(roomOf(r))):
			n.serveSession(w, r, next, err)
		case err == nil && node == "":
			if !passed && r.URL.Path == "/api/rooms" && r.Method == http.MethodGet {
				n.gather(w, r, next)
				return
			}
			next.ServeHTTP(w, r)
		case err == nil && passed:
			// It has moved since. A client asks again; nodes that disagree would for ever.
			refuse(w, n, errMoving)
		case err != nil:
			refuse(w, n, err)
		default:
			n.pass(w, r, node)
		}
	})
}

func refuse(w http.ResponseWriter, n *Nodes, err error) {
	w.Header().Set("Retry-After", "1")
	// Any page may use WHIP and WHEP, and must be able to read why it is refused.
	w.Header().Set("Access-Control-Allow-Origin", "*")
	apierr.Write(w, n.cfg.Log, err)
}

// pass passes a request on and answers it with what the node answers.
func (n *Nodes) pass(w http.ResponseWriter, r *http.Request, node string) {
	ctx, cancel := context.WithTimeout(r.Context(), passWait)
	defer cancel()
	answer, err := n.cluster.Pass(ctx, node, r)
	switch {
	case errors.Is(err, cluster.ErrBody):
		apierr.Write(w, n.cfg.Log, wire.NewError(wire.CodeTooLarge, ""))
	case err != nil:
		n.metrics.passed.WithLabelValues("failed").Inc()
		if r.Context().Err() == nil {
			n.cfg.Log.Warn("a request could not be passed on", "node", node, "error", err)
		}
		refuse(w, n, errMoving)
	default:
		n.metrics.passed.WithLabelValues("answered").Inc()
		answer.Write(w)
	}
}

// target returns the other node that a request is for; empty: this one.
func (n *Nodes) target(w http.ResponseWriter, r *http.Request) (node string, err error) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "rooms" && len(parts) > 1:
		return n.nodeOf(parts[1])
	case parts[0] != "api" || len(parts) < 2:
		return "", nil
	case parts[1] == "rooms" && len(parts) > 2:
		return n.nodeOf(parts[2])
	case parts[1] == "rooms" && r.Method == http.MethodPost:
		return n.place(r)
	case parts[1] == "plans" && len(parts) > 3 && parts[3] == "open":
		// Another host may have opened it: the room has the plan's id.
		if node, err := n.nodeOf(parts[2]); err != nil || node != "" || n.rooms.Has(parts[2]) {
			return node, err
		}
		return n.place(r)
	case parts[1] == "invites" && len(parts) > 2:
		return n.nodeOfInvite(r, parts[2], len(parts) > 3)
	case parts[1] == "refresh" && r.Method == http.MethodPost:
		return n.nodeOfRefresh(w, r)
	}
	return "", nil
}

// place returns the node for a new room; empty: this one. The request may name it.
func (n *Nodes) place(r *http.Request) (string, error) {
	if r.Context().Value(passedKey{}) != nil {
		return "", nil
	}
	wanted := r.URL.Query().Get("node")
	best, ok := cluster.Place(n.heard(), n.cfg.Self.Zone)
	if wanted != "" {
		if best, ok = n.cluster.Find(wanted); !ok {
			return "", errNoNode
		}
	}
	if !ok || best.ID == n.cfg.Self.ID {
		return "", nil
	}
	return best.ID, nil
}

// nodeOfInvite returns the node that has the room of an invite, which is named by its code
// or its ID. One that lets nobody in is answered here, like one that does not exist.
func (n *Nodes) nodeOfInvite(r *http.Request, codeOrID string, redeem bool) (string, error) {
	id := codeOrID
	if len(codeOrID) == store.CodeLength {
		id = n.cfg.Store.InviteID(codeOrID)
	}
	_, err := n.cfg.Store.FindInvite(id)
	if redeem || err != nil && id != codeOrID {
		// To redeem it whatever the code is, so that all take as long; else a code that another
		// node may have made just now.
		if err := n.cfg.Store.RefreshInvite(r.Context(), codeOrID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
	}
	invite, err := n.cfg.Store.FindInvite(id)
	if err != nil || invite.Room == "" || redeem && invite.Status(n.cfg.Clock()) != store.Live {
		return "", nil
	}
	return n.nodeOf(invite.Room)
}

// nodeOfRefresh returns the node that has the room of a refresh token.
func (n *Nodes) nodeOfRefresh(w http.ResponseWriter, r *http.Request) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, cluster.MaxBody))
	if err != nil {
		return "", wire.NewError(wire.CodeTooLarge, "")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var asked struct {
		Token string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &asked) != nil {
		return "", nil // which is said here
	}
	claims, err := n.auth.ParseRefresh(asked.Token)
	if err != nil || claims.Room == "" {
		return "", nil
	}
	return n.nodeOf(claims.Room)
}

// rooms is what GET /api/rooms answers.
type rooms struct {
	Rooms []json.RawMessage `json:"rooms"`
}

// gather answers GET /api/rooms with the rooms of all nodes, the oldest first. Those of a
// node that does not answer are left out.
func (n *Nodes) gather(w http.ResponseWriter, r *http.Request, next http.Handler) {
	own := &buffered{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(own, r)
	var all rooms
	if own.status != http.StatusOK || json.Unmarshal(own.body.Bytes(), &all) != nil {
		cluster.Answer{Status: own.status, Header: own.header, Body: own.body.Bytes()}.Write(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), endWait)
	defer cancel()
	ask := r.Clone(ctx)
	ask.Header.Set(askHeader, "1")
	ask.Body = http.NoBody
	answers := make(chan rooms)
	nodes := slices.DeleteFunc(n.cluster.Nodes(), func(node cluster.Node) bool { return node.ID == n.cfg.Self.ID })
	for _, node := range nodes {
		go func() {
			var there rooms
			if answer, err := n.cluster.Pass(ctx, node.ID, ask); err == nil && refusalOf(answer) == nil {
				_ = json.Unmarshal(answer.Body, &there) // one that says something else says nothing
			}
			answers <- there
		}()
	}
	for range nodes {
		all.Rooms = append(all.Rooms, (<-answers).Rooms...)
	}
	slices.SortStableFunc(all.Rooms, func(a, b json.RawMessage) int { return createdAt(a).Compare(createdAt(b)) })
	all.Rooms = slices.CompactFunc(all.Rooms, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
	apierr.WriteJSON(w, http.StatusOK, all)
}

func createdAt(room json.RawMessage) time.Time {
	var is struct {
		At time.Time `json:"created_at"`
	}
	_ = json.Unmarshal(room, &is) // zero: first
	return is.At
}

// refusalOf returns the refusal in a node's answer; nil: it is none.
func refusalOf(answer cluster.Answer) error {
	if answer.Status/100 == 2 {
		return nil
	}
	var body wire.ErrorBody
	if err := json.Unmarshal(answer.Body, &body); err != nil || body.Error.Code == "" {
		return errMoving
	}
	return wire.NewError(body.Error.Code, body.Error.Message)
}

// buffered is a response that is kept.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (b *buffered) Header() http.Header { return b.header }

// WriteHeader implements http.ResponseWriter.
func (b *buffered) WriteHeader(status int) { b.status = status }

// Write implements http.ResponseWriter.
func (b *buffered) Write(data []byte) (int, error) { return b.body.Write(data) }

// Operator serves the nodes to the operator.
type Operator struct {
	Nodes *Nodes
	// Principal counts a request and returns who it comes from.
	Principal func(*http.Request) (auth.Principal, error)
}

// List serves GET /api/nodes.
func (o Operator) List(w http.ResponseWriter, r *http.Request) error {
	if err := o.check(r); err != nil {
		return err
	}
	apierr.WriteJSON(w, http.StatusOK, map[string][]cluster.Node{"nodes": o.Nodes.current()})
	return nil
}

// Drain serves POST /api/nodes/{node}/drain, and Undrain DELETE.
func (o Operator) Drain(w http.ResponseWriter, r *http.Request) error { return o.set(w, r, true) }

// Undrain serves DELETE /api/nodes/{node}/drain.
func (o Operator) Undrain(w http.ResponseWriter, r *http.Request) error { return o.set(w, r, false) }

func (o Operator) check(r *http.Request) error {
	who, err := o.Principal(r)
	if err == nil && !who.Operator {
		err = wire.NewError(wire.CodeForbidden, "the nodes take the operator's token")
	}
	return err
}

func (o Operator) set(w http.ResponseWriter, r *http.Request, draining bool) error {
	if err := o.check(r); err != nil {
		return err
	}
	id, n := r.PathValue("node"), o.Nodes
	if id != n.cfg.Self.ID {
		if _, ok := n.cluster.Find(id); !ok {
			return errNoNode
		}
		if r.Context().Value(passedKey{}) != nil {
			return errMoving
		}
		n.pass(w, r, id)
		return nil
	}
	if err := n.cluster.SetDraining(r.Context(), draining); err != nil {
		return errCutOff
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// List returns the nodes, this one as it is now, and which of them a majority does not hear.
func (n *Nodes) List() (all []cluster.Node, silent map[string]bool) {
	if !n.joined() {
		return nil, nil
	}
	all, silent = n.current(), map[string]bool{}
	for _, node := range all {
		silent[node.ID] = n.cluster.Silent(node.ID)
	}
	return all, silent
}

// current returns the nodes, this one as it is now.
func (n *Nodes) current() []cluster.Node {
	nodes := n.cluster.Nodes()
	for i := range nodes {
		if nodes[i].ID == n.cfg.Self.ID {
			nodes[i].Load = n.loadNow()
		}
	}
	slices.SortStableFunc(nodes, func(a, b cluster.Node) int { return cmp.Compare(a.Zone, b.Zone) })
	return nodes
}
