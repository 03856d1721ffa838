package nodes

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/cluster"
	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/wire"
)

const (
	// movedFor is for how long a room that was taken over may have media left at the node before.
	movedFor = claimWait + 5*time.Second
	// maxMoved is how many rooms may wait to be read again. More are read when the store tells of them.
	maxMoved = 4096
	// readAgain is the pause after a room could not be read, and readTries how often it is tried.
	readAgain = 250 * time.Millisecond
	readTries = 20
)

// tellAdopted tells the other nodes that this one has a room now. The store tells them, too, but
// not while its servers choose who of them leads, which takes seconds.
func (n *Nodes) tellAdopted(id string) {
	if err := n.cluster.Tell(kindAdopted, []byte(id)); err != nil {
		n.cfg.Log.Warn("other nodes were not told where a room is", "room", id, "error", err)
	}
}

// hearAdopted is told by another node that it has a room. It does not wait.
func (n *Nodes) hearAdopted(id string) {
	select {
	case n.moved <- id:
	default:
	}
}

// readMoved reads the rooms again that others have taken over, and tells others who is here when they may not know, until this
// node leaves. Nothing waits for either.
func (n *Nodes) readMoved() {
	for {
		select {
		case <-n.stop:
			return
		case id := <-n.moved:
			n.readRoom(id)
		case <-n.back:
			n.rooms.TellArrivals()
		}
	}
}

// readRoom reads a room again. While the store's servers choose who of them leads it can't be read.
func (n *Nodes) readRoom(id string) {
	var err error
	for range readTries {
		if err = n.cfg.Store.RefreshRoom(context.Background(), id); err == nil {
			return
		}
		select {
		case <-n.stop:
			return
		case <-time.After(readAgain):
		}
	}
	n.cfg.Log.Warn("a room that another node has taken over could not be read", "room", id, "error", err)
}

// cutting is that people have no such media any more of a room that has moved, at the node that had it before.
type cutting struct {
	Room   string       `json:"room"`
	People []string     `json:"people"`
	Media  []wire.Media `json:"media"`
}

// makeAdopted makes a room here that was another node's, and knows first that its people may still have media there.
func (n *Nodes) makeAdopted(saved room.State) error {
	now := n.cfg.Clock()
	n.mu.Lock()
	maps.DeleteFunc(n.adopted, func(_ string, until time.Time) bool { return now.After(until) })
	n.adopted[saved.Config.Name] = now.Add(movedFor)
	n.mu.Unlock()
	return n.rooms.Adopt(saved)
}

// hasMoved reports whether another node may have media of a room of this one, which it had before.
func (n *Nodes) hasMoved(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	until, moved := n.adopted[id]
	return moved && !n.cfg.Clock().After(until)
}

// CutEarlier implements [liveroom.Relay].
func (r *relay) CutEarlier(people []string, media ...wire.Media) {
	if r.nodes.hasMoved(r.id) {
		r.nodes.tellAndWait(context.Background(), kindCut, cutting{r.id, people, media}, "ended what people still had of a room that has moved")
	}
}

// cutEarlier does what another node tells of people in a room that was this one's.
func (n *Nodes) cutEarlier(data []byte) {
	var c cutting
	if json.Unmarshal(data, &c) == nil {
		n.rooms.CutEarlier(c.Room, c.People, c.Media...)
	}
}

// isSession reports whether a request is for a WHIP or WHEP session, and roomOf returns the room that is in its path.
func isSession(r *http.Request) bool {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return len(parts) == 4 && parts[0] == "rooms"
}

func roomOf(r *http.Request) string { return strings.Split(r.URL.Path, "/")[2] }

// serveSession serves a request for a WHIP or WHEP session whose room has moved here lately, or is on its way to another node:
// moving. The session may be left where the room was. The end of one that is nowhere any more is acknowledged.
func (n *Nodes) serveSession(w http.ResponseWriter, r *http.Request, next http.Handler, moving error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, cluster.MaxBody+1))
	if err != nil || len(body) > cluster.MaxBody {
		apierr.Write(w, n.cfg.Log, wire.NewError(wire.CodeTooLarge, ""))
		return
	}
	own := &buffered{header: http.Header{}, status: http.StatusOK}
	answerOwn := func() { cluster.Answer{Status: own.status, Header: own.header, Body: own.body.Bytes()}.Write(w) }
	if moving == nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(own, r)
		if own.status != http.StatusNotFound {
			answerOwn()
			return
		}
	}
	answer, found := n.askForSession(r, body)
	switch {
	case found && answer.Status == http.StatusForbidden && moving == nil: // to others it does not exist
		answerOwn()
	case found && answer.Status == http.StatusForbidden:
		refuse(w, n, moving)
	case found:
		answer.Write(w)
	case moving != nil:
		refuse(w, n, moving)
	case r.Method == http.MethodDelete:
		own.header.Del("Content-Type")
		own.header.Set("Content-Length", "0")
		cluster.Answer{Status: http.StatusOK, Header: own.header}.Write(w)
	default:
		answerOwn()
	}
}

// askForSession passes a request for a WHIP or WHEP session on to all other nodes, and returns what the one says that has it.
func (n *Nodes) askForSession(r *http.Request, body []byte) (answer cluster.Answer, found bool) {
	return askOthers(r.Context(), n, func(ctx context.Context, node string) (cluster.Answer, bool) {
		ask := r.Clone(ctx)
		ask.Header.Set(askHeader, "1")
		ask.Body = io.NopCloser(bytes.NewReader(body))
		a, err := n.cluster.Pass(ctx, node, ask)
		return a, err == nil && a.Status != http.StatusNotFound && a.Status/100 != 5
	})
}

// askOthers asks all other nodes at once, and returns the first answer of one that knows. Nobody is asked any more then.
func askOthers[T any](ctx context.Context, n *Nodes, ask func(ctx context.Context, node string) (answer T, knows bool)) (answer T, found bool) {
	ctx, cancel := context.WithTimeout(ctx, endWait)
	defer cancel()
	others := slices.DeleteFunc(n.heard(), func(o cluster.Node) bool { return o.ID == n.cfg.Self.ID })
	answers := make(chan T, len(others))
	var asking sync.WaitGroup
	for _, o := range others {
		asking.Go(func() {
			if a, knows := ask(ctx, o.ID); knows {
				answers <- a
				cancel()
			}
		})
	}
	asking.Wait()
	select {
	case answer = <-answers:
		return answer, true
	default:
		return answer, false
	}
}

// earlierPath is where a node asks others who somebody is that was in a room before that moved from there.
const earlierPath = "/node/earlier"

// earlierRequest asks that.
type earlierRequest struct {
	Room   string
	Member room.MemberID
}

// Earlier implements [liveroom.Relay].
func (r *relay) Earlier(member room.MemberID) (m room.Member, there bool) {
	n := r.nodes
	if !n.hasMoved(r.id) {
		return m, false
	}
	return askOthers(context.Background(), n, func(ctx context.Context, node string) (room.Member, bool) {
		m, err := n.askEarlier(ctx, node, earlierRequest{r.id, member})
		return m, err == nil
	})
}

// askEarlier asks one node.
func (n *Nodes) askEarlier(ctx context.Context, node string, ask earlierRequest) (m room.Member, err error) {
	err = n.askNode(ctx, node, earlierPath, ask, &m)
	return m, err
}

// serveEarlier serves the question of another node who somebody is.
func (n *Nodes) serveEarlier(w http.ResponseWriter, r *http.Request) {
	var ask earlierRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, cluster.MaxBody)).Decode(&ask); err != nil {
		apierr.Write(w, n.cfg.Log, wire.NewError(wire.CodeBadRequest, "this does not ask who somebody is"))
		return
	}
	m, there := n.rooms.Earlier(ask.Room, ask.Member)
	if !there {
		apierr.Write(w, n.cfg.Log, room.ErrNotMember)
		return
	}
	apierr.WriteJSON(w, http.StatusOK, m)
}
