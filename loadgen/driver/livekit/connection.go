package livekit

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/livekit/signal"
)

const (
	// maxMessage bounds a message of the server's, in bytes. The first has everybody in
	// the room.
	maxMessage = 16 << 20
	// lastCandidate is how long the answer waits for the server's word that there are no
	// more candidates, if there is one already.
	lastCandidate = 200 * time.Millisecond
	// idleOffers is how many offers in a row a server may ask for that change nothing.
	idleOffers = 8
)

// A connection is one person's signal connection. One goroutine reads it; close ends it. Another
// may take its session up then, which inherits what is known.
type connection struct {
	conn *driver.Socket
	// receives means that the server makes the offers, over /rtc.
	receives bool
	// open is done when the client closes the connection: what it still does for it ends.
	open context.Context
	shut context.CancelFunc

	state    driver.Signaling // guards what follows; it ends with the session
	answer   string           // to the first offer
	first    *signal.Offered  // the server's first offer, over /rtc
	track    string           // the server's name of what the client sends
	session  string           // the server's name of the person's presence
	resumed  bool             // the server has taken up the session of an earlier connection
	interval time.Duration    // of the pings; 0: the server wants none
	rtt      time.Duration

	// negotiating guards the offers after the first.
	negotiating sync.Mutex
	negotiation *driver.Negotiation // nil: the first answer is not taken yet
	wanted      bool                // an offer is to be made
	offered     bool                // one has no answer yet
	offers      int                 // made after the first
	voices      int                 // that the server sends, by its latest answer
	idle        int                 // offers in a row that changed nothing
	more, added int                 // sections that the server asks for, and that it got
	pending     *signal.Offered     // of the server, which the client is to answer when it goes on

	done chan struct{}
}

// A dialling is how a signal connection is opened.
type dialling struct {
	path     string
	query    url.Values // a request to join, or to take up the session of an earlier connection
	token    string
	receives bool        // the server makes the offers
	earlier  *connection // which has ended; nil if there was none
	ended    func()      // called at the connection's end
}

// dial opens a connection.
func dial(ctx context.Context, d *Driver, how dialling) (*connection, error) {
	turn := driver.TurnOf(ctx)
	turn.Take(ctx)
	conn, resp, err := d.dialer.Dial(ctx, driver.SocketURL(d.base, how.path)+"?"+how.query.Encode(),
		http.Header{"Authorization": {"Bearer " + how.token}})
	if err != nil {
		if resp != nil && resp.StatusCode == http.StatusNotFound {
			err = fmt.Errorf("%w: the room has ended, or this is no LiveKit server, which has %s or %s", err, onePath, twoPath)
		}
		return nil, fmt.Errorf("open the signal connection: %w", err)
	}
	if how.receives {
		turn.Give() // until there is an offer to answer
	} else {
		turn.End() // what the reader does is not the join's
	}
	c := &connection{conn: conn, receives: how.receives, done: make(chan struct{})}
	c.open, c.shut = context.WithCancel(context.Background())
	if how.earlier != nil {
		inherit(c, how.earlier)
	}
	go c.read(how.ended)
	return c, nil
}

// inherit has c take over what an earlier connection knew. Nobody else has c yet.
func inherit(c, earlier *connection) {
	for _, candidate := range earlier.state.Candidates() {
		c.state.AddCandidate(candidate, false)
	}
	earlier.state.Lock()
	c.first, c.track, c.session, c.interval = earlier.first, earlier.track, earlier.session, earlier.interval
	earlier.state.Unlock()
	earlier.negotiating.Lock()
	defer earlier.negotiating.Unlock()
	c.negotiation, c.voices, c.offers, c.more, c.added = earlier.negotiation, earlier.voices, earlier.offers, earlier.more, earlier.added
	c.wanted = true // what the server wanted or answered in between is lost
	c.pending = earlier.pending
}

// takenUp waits until the server has taken up the session, and goes on where the earlier connection was.
func (c *connection) takenUp(ctx context.Context, session string) error {
	another := false
	err := c.state.Await(ctx, func() bool { another = c.session != session; return another || c.resumed })
	switch {
	case err != nil:
		return fmt.Errorf("wait until the server resumes the session: %w", err)
	case another: // which has nothing to do with the media connection
		return driver.Declined("the server began another session instead of resuming the one there was")
	}
	c.startPings()
	c.negotiating.Lock()
	defer c.negotiating.Unlock()
	if !c.receives {
		c.offer()
	}
	return nil
}

// firstAnswer waits for the answer to the first offer, and adds the server's candidates to
// it.
func (c *connection) firstAnswer(ctx context.Context) (string, error) {
	if err := c.state.Await(ctx, func() bool { return c.answer != "" }); err != nil {
		return "", fmt.Errorf("wait for the server's answer: %w", err)
	}
	soon, cancel := context.WithTimeout(ctx, lastCandidate)
	defer cancel()
	// Those that come later are asked for by Trickle, if there is none yet.
	_ = c.state.AwaitLastCandidate(soon)
	c.state.Lock()
	answer := c.answer
	c.state.Unlock()
	if len(sdp.CandidateLines(answer)) == 0 {
		answer += c.state.CandidateLines() // at the end is in the last section, and all are bundled
	}
	return answer, nil
}

// read handles messages until the connection ends.
func (c *connection) read(ended func()) {
	defer close(c.done)
	defer ended()
	var err error
	for err == nil {
		err = c.conn.Read(c.takeMessage)
	}
	c.state.End(fmt.Errorf("the signal connection ended: %w", err))
}

// takeMessage reads and handles one message.
func (c *connection) takeMessage(message []byte) error {
	m, err := signal.Decode(message)
	if err != nil {
		return err
	}
	c.handle(m)
	return nil
}

func (c *connection) handle(m signal.Message) {
	switch m := m.(type) {
	case signal.Joined:
		c.state.Change(func() { c.session, c.interval = m.Session, time.Duration(m.PingInterval)*time.Second })
		c.startPings()
	case signal.Resumed:
		c.state.Change(func() { c.resumed = true })
	case signal.Answered:
		c.answered(m.SDP)
	case signal.Offered:
		c.serverOffered(m)
	case signal.Candidate:
		c.take(m)
	case signal.Published:
		c.state.Change(func() { c.track = m.Track })
	case signal.Wanted:
		c.want(m)
	case signal.Pong:
		c.state.Change(func() { c.rtt = time.Since(time.UnixMilli(m.Sent)) })
	case signal.Left:
		c.state.End(driver.Declined("the server ended the session: " + m.Reason))
	}
}

// take takes a candidate, if it is of the connection that the client has.
func (c *connection) take(m signal.Candidate) {
	if c.receives && !m.Subscriber {
		return
	}
	c.negotiating.Lock()
	defer c.negotiating.Unlock()
	c.state.AddCandidate(m.Value, m.Final)
	if c.receives && c.negotiation != nil && m.Value != "" {
		c.negotiation.Candidate(m.Value)
	}
}

// startPings sends pings from now on, if the server wants them.
func (c *connection) startPings() {
	c.state.Lock()
	interval := c.interval
	c.state.Unlock()
	if interval > 0 {
		c.state.Every(func() time.Duration { return interval }, c.ping)
	}
}

func (c *connection) ping() error {
	c.state.Lock()
	rtt := c.rtt
	c.state.Unlock()
	return c.conn.Write(signal.Ping(time.Now().UnixMilli(), rtt.Milliseconds()))
}

// close closes the connection and waits for its reader.
func (c *connection) close() error {
	c.state.End(driver.ErrLeft)
	c.shut()
	err := c.conn.Close()
	<-c.done
	return err
}
