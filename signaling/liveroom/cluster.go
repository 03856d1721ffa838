package liveroom

import (
	"context"
	"errors"
	"time"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// Cluster is what a [Registry] needs of the cluster that its server belongs to. Its
// methods may be called from any goroutine.
type Cluster interface {
	// OwnedBy returns how many rooms an account made, on all servers.
	OwnedBy(account string) int
	// NewArrival returns an arrival that is later than all that this server knows of.
	NewArrival() Arrival
	// Arriving tells the other servers that an account is coming into a room here: what it has elsewhere ends, but for
	// what is left there of this very room. It returns when it has ended. It gives up on servers that do not
	// answer within about a second: they are silent by then, or drop what comes late.
	Arriving(account, into string, a Arrival)
	// Arrived tells them without waiting.
	Arrived(account, into string, a Arrival)
	// Speaks reports whether this server may pass on what people in its rooms say: nobody else
	// has the rooms. It is called for every frame.
	Speaks() bool
	// Relay returns what carries the audio of a room to ears on other servers. The audience's
	// packets may be held for so long at first.
	Relay(id string, media *rtc.MediaRoom, hold time.Duration) Relay
}

// Relay carries a room's audio to ears on other servers. Its methods may be called with the
// room's lock held, but for OpenEar, Earlier and Close.
type Relay interface {
	// OpenEar has another server answer the offer of somebody in the audience. It returns
	// nil, and no error, if the ear is to be on this server. If node is not empty, it is that
	// server's, or nobody's.
	OpenEar(ctx context.Context, offer, node string) (EarSession, error)
	Mute(talker uint32, muted bool)
	SetAudienceHold(d time.Duration)
	// CutEarlier has the server that the room has moved from end the media of these kinds that people (see personOf)
	// still have there; an empty one is everybody. It returns when it has, or after about a second, and at once if the
	// room has not moved lately.
	CutEarlier(people []string, media ...wire.Media)
	// Earlier returns who somebody is that was in the room where it was before. It waits for the answer for about a
	// second, and is called without the room's lock.
	Earlier(member room.MemberID) (m room.Member, there bool)
	// Settle waits until the other servers have carried out what was ordered. It gives up on
	// those that do not answer within about a second: they fall silent by themselves.
	Settle()
	// Close ends all ears on other servers.
	Close()
}

// EarSession is a participant's ear, on this server or on another.
type EarSession interface {
	rtc.Session
	// SetOwner sets the talker who is left out of it; 0: nobody.
	SetOwner(talker uint32)
}

// noRelay is the relay of a server that belongs to no cluster.
type noRelay struct{}

func (noRelay) OpenEar(_ context.Context, _, node string) (EarSession, error) {
	if node != "" {
		return nil, wire.NewError(wire.CodeNotFound, "this server has no cluster: leave out the node")
	}
	return nil, nil
}
func (noRelay) Mute(uint32, bool)                         {}
func (noRelay) SetAudienceHold(time.Duration)             {}
func (noRelay) CutEarlier([]string, ...wire.Media)        {}
func (noRelay) Earlier(room.MemberID) (room.Member, bool) { return room.Member{}, false }
func (noRelay) Settle()                                   {}
func (noRelay) Close()                                    {}

// ArrivedElsewhere is told that an account is coming into a room at another server. end, unless it is nil, ends its
// participation here, unless it came in here later: then the other server is told of that. It returns when they hear
// nothing any more and are not heard.
func (r *Registry) ArrivedElsewhere(account, into string, a Arrival) (end func()) {
	r.arrivals.overtake(account, a) // first: who is not among the seats yet is found here
	if len(r.accounts.find(account)) == 0 && len(r.earlier.find(account)) == 0 {
		return nil
	}
	return func() {
		for _, s := range r.accounts.find(account) {
			s.room.mu.Lock()
			mine := s.participant.arrival
			s.room.mu.Unlock()
			if a.before(mine) {
				r.cfg.Cluster.Arrived(account, s.room.id, mine)
			} else {
				s.room.Membership.replaceBefore(s.participant, a)
			}
		}
		r.cutMoved(account, into, a)
	}
}

// TellArrivals tells the other servers of everybody with an account who is here. They may not have heard of it: this
// server could not reach them for a while.
func (r *Registry) TellArrivals() {
	for account, seats := range r.accounts.all() {
		for _, s := range seats {
			s.room.mu.Lock()
			mine := s.participant.arrival
			s.room.mu.Unlock()
			if mine != (Arrival{}) {
				r.cfg.Cluster.Arrived(account, s.room.id, mine)
			}
		}
	}
}

// Has reports whether a room is on this server.
func (r *Registry) Has(id string) bool {
	_, err := r.Find(id)
	return err == nil
}

// ErrHere refuses to adopt a room that is on this server.
var ErrHere = errors.New("the room is here already")

// Adopt makes a saved room again that was on no server or on another. One that is here, or about to be, is left as it is:
// [ErrHere]. Else some of its people would be in the one and some in the other, and would not hear one another. It is not called
// during or after Shutdown.
func (r *Registry) Adopt(saved room.State) error {
	id := saved.Config.Name
	r.mu.Lock()
	here := r.rooms[id] != nil || r.adopting[id]
	if !here {
		r.adopting[id] = true
	}
	r.mu.Unlock()
	if here {
		return ErrHere
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.adopting, id)
	}()
	return r.restoreOne(saved)
}

// Release lets go of a room that goes to another server: everybody in it is told that it
// has moved. last is called with its state, at a moment after
// which nothing changes any more. It returns the URL of the WebSockets of the server that has the
// room then; empty: that is not known. If it is, people's media plays on for a moment, while they go there; else it
// ends at once. done is closed when nothing of the room is left here.
func (r *Registry) Release(id string, last func(room.State) (socket string)) (done <-chan struct{}) {
	r.mu.Lock()
	l := r.rooms[id]
	if _, standing := r.standing[l]; standing {
		r.moving[l] = struct{}{} // first: who asks from now on waits until it is known where the room is
	}
	r.mu.Unlock()
	if l == nil {
		none := make(chan struct{})
		close(none)
		return none
	}
	l.release(last)
	return l.down
}

// Load returns how many people and rooms are on this server.
func (r *Registry) Load() (people, rooms int) {
	for _, l := range r.List() {
		rooms++
		_ = l.Ask(func(rules *room.Room) error {
			people += rules.Len()
			return nil
		})
	}
	return people, rooms
}
