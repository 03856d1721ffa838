package rtc

import (
	"sync"
	"time"
)

// consents knows the sessions whose clients the engine has to watch: Pion's
// connections, and ears whose clients have not come yet. An ear whose client has
// come and then falls silent is the lean server's business. Its methods may be
// called from any goroutine.
type consents struct {
	mu          sync.Mutex
	connections map[*pionEndpoint]struct{}
	pending     map[*session]struct{}
}

func newConsents() *consents {
	return &consents{connections: map[*pionEndpoint]struct{}{}, pending: map[*session]struct{}{}}
}

func (c *consents) addConnection(e *pionEndpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connections[e] = struct{}{}
}

func (c *consents) removeConnection(e *pionEndpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.connections, e)
}

// addPending notes an ear whose client has yet to come.
func (c *consents) addPending(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending[s] = struct{}{}
}

// removePending notes that an ear's client has come, or that the ear has ended.
func (c *consents) removePending(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, s)
}

// expired returns the sessions whose clients are gone or never came, with the
// reason.
func (c *consents) expired(now time.Time, timeout time.Duration) map[*session]error {
	c.mu.Lock()
	defer c.mu.Unlock()
	expired := map[*session]error{}
	for e := range c.connections {
		switch {
		case e.connected.Load() && now.Sub(time.Unix(0, e.lastCheck.Load())) > timeout:
			expired[e.session] = ErrConsentLost
		case !e.connected.Load() && now.Sub(e.opened) > timeout:
			expired[e.session] = ErrNeverConnected
		}
	}
	for s := range c.pending {
		if now.Sub(s.opened) > timeout {
			expired[s] = ErrNeverConnected
		}
	}
	return expired
}

// watchConsent ends the sessions whose clients are gone, or never came.
func (e *Engine) watchConsent() {
	ticker := time.NewTicker(min(max(e.consent/8, time.Millisecond), time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-e.stop:
			return
		case now := <-ticker.C:
			for s, reason := range e.consents.expired(now, e.consent) {
				s.end(reason)
			}
			e.lite.Tick(now)
		}
	}
}
