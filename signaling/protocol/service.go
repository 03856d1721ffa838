package protocol

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/earshot-audio/earshot/signaling/access"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/ws"
)

// Service serves clients of the WebSocket protocol. All fields are required. It is
// safe for concurrent use.
type Service struct {
	Connections *ws.Server
	Metrics     *ws.Metrics
	Auth        *auth.Authenticator
	Limiter     *auth.Limiter
	Access      *access.Policy
	Rooms       *liveroom.Registry
	// Version of the software, shown to clients.
	Version string
	// MaxMalformed is how many messages in a row may be malformed before the
	// connection is closed.
	MaxMalformed int
	// Elsewhere returns the WebSocket URL of the server of a cluster that has a room, if
	// it is another than this one and lets the token's holder see the room; empty: the room
	// is none of another server. nil without a cluster.
	Elsewhere func(room, token string) (url string, err error)
	Log       *slog.Logger
}

// Serve upgrades GET /ws to a connection. On an error the caller answers the
// request.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request) error {
	if !ws.IsUpgrade(r) {
		return ws.ErrNoUpgrade
	}
	from := s.Limiter.Origin(r)
	if err := s.Limiter.Connect(from); err != nil {
		return err
	}
	err := s.Connections.Upgrade(w, r, auth.NewID(), func(conn *ws.Conn) ws.Handler {
		return &client{service: s, conn: conn, from: from}
	})
	if errors.Is(err, ws.ErrClosed) {
		return apierr.ErrShuttingDown
	}
	return err
}
