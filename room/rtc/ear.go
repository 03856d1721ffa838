package rtc

import (
	"time"

	"github.com/earshot-audio/earshot/room/fanout"
)

// airTime is how old a packet may be, when a listener has just connected, to be
// still in the air for them: one frame.
const airTime = 20 * time.Millisecond

// Ear is one listener's downlink. It hears the room from the moment DTLS is up.
type Ear struct {
	*session
	sections int
	mouth    fanout.Ear // what the hall gives packets to

	// The session's lock guards these.
	owner  uint32
	hushed bool
	sub    *fanout.Subscription
}

// subscribe lets the ear hear the room, once packets can be sent. A frame that
// was in the air when DTLS came up is sent first.
func (e *Ear) subscribe(up time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended || e.hushed || e.sub != nil {
		return
	}
	sub, err := e.room.hall.AddEar(e.mouth, fanout.Listening{
		Sections: e.sections,
		Owner:    e.owner,
		Since:    up.Add(-airTime),
	})
	if err != nil {
		return // the room is closing, and this session with it
	}
	e.sub = sub
}

func (e *Ear) unsubscribe() {
	e.mu.Lock()
	sub := e.sub
	e.mu.Unlock()
	if sub != nil {
		sub.Close()
	}
}

// Detach implements Session.
func (e *Ear) Detach() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hushed = true
	if e.sub != nil {
		e.sub.Hush()
	}
}

func (e *Ear) setOwner(talker uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.owner = talker
	if e.sub != nil {
		e.sub.SetOwner(talker)
	}
}
