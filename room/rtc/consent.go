package rtc

import (
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

// checked takes note of an authenticated ICE check; Pion calls it after it has
// verified the check's integrity.
func (e *Engine) checked(m *stun.Message, _, _ ice.Candidate, _ *ice.CandidatePair) bool {
	user, err := m.Get(stun.AttrUsername)
	if err != nil {
		return false
	}
	ufrag, _, _ := strings.Cut(string(user), ":")
	if c := e.routes.find(ufrag); c != nil {
		c.lastCheck.Store(time.Now().UnixNano())
	}
	return false // the choice of the pair is Pion's
}

// watchConsent ends the sessions whose clients are gone, or never came. An ear
// whose client has come and then falls silent is the lean server's business.
func (e *Engine) watchConsent() {
	ticker := time.NewTicker(min(max(e.consent/8, time.Millisecond), time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-e.stop:
			return
		case now := <-ticker.C:
			for s, reason := range e.lost(now) {
				s.end(reason)
			}
			e.lite.Tick(now)
		}
	}
}

// lost lists the sessions to end, with the reason.
func (e *Engine) lost(now time.Time) map[*session]error {
	lost := map[*session]error{}
	for _, c := range e.routes.all() {
		switch {
		case c.connected.Load() && now.Sub(time.Unix(0, c.lastCheck.Load())) > e.consent:
			lost[c.session] = ErrConsentLost
		case !c.connected.Load() && now.Sub(c.opened) > e.consent:
			lost[c.session] = ErrNeverConnected
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for s := range e.awaited {
		if now.Sub(s.opened) > e.consent {
			lost[s] = ErrNeverConnected
		}
	}
	return lost
}
