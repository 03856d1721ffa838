package liveroom

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
)

// otherServers keeps what they are told of arrivals. It is not safe for concurrent use.
type otherServers struct {
	stamp uint64
	told  []Arrival
	// arriving is called, unless it is nil, while an account of this server is coming in.
	arriving func()
}

func (*otherServers) OwnedBy(string) int { return 0 }

func (o *otherServers) NewArrival() Arrival {
	o.stamp += 10
	return Arrival{Stamp: o.stamp, Server: "this"}
}

func (o *otherServers) Arriving(_, _ string, a Arrival) {
	o.told = append(o.told, a)
	if o.arriving != nil {
		o.arriving()
	}
}

func (o *otherServers) Arrived(_, _ string, a Arrival) { o.told = append(o.told, a) }

func (*otherServers) Speaks() bool { return true }

func (*otherServers) Relay(string, *rtc.MediaRoom, time.Duration) Relay { return noRelay{} }

// Two servers let an account in at the same moment. The later one may have told the other while the
// account was not in there yet, so it says so again when it hears of the earlier one.
func TestArrivalsAtTwoServersLeaveTheLaterOne(t *testing.T) {
	others := &otherServers{}
	r := newTestRegistryIn(t, others)
	p := NewParticipant(string(newID()), room.Identity{Account: "bo"}, discardConnection{})
	l, _, err := r.Join("a", p, room.JoinRequest{Name: "Bo", Role: room.Listener}, "ws", nil)
	require.NoError(t, err)
	here := Arrival{Stamp: 10, Server: "this"}
	require.Equal(t, []Arrival{here}, others.told)

	present := func() (people int) {
		require.NoError(t, l.Ask(func(rules *room.Room) error {
			people = rules.Len()
			return nil
		}))
		return people
	}
	elsewhere := func(account string, a Arrival) {
		if end := r.ArrivedElsewhere(account, "b", a); end != nil {
			end()
		}
	}
	elsewhere("bo", here)
	elsewhere("ada", Arrival{Stamp: 3, Server: "other"})
	assert.Len(t, others.told, 1, "it is its own, or of somebody who is not here")
	elsewhere("bo", Arrival{Stamp: 9, Server: "other"})
	assert.Equal(t, []Arrival{here, here}, others.told, "the other server has to know of the later one")
	assert.Equal(t, 1, present())
	r.TellArrivals()
	assert.Equal(t, []Arrival{here, here, here}, others.told, "others may not have heard of it")
	elsewhere("bo", Arrival{Stamp: 10, Server: "zeta"})
	assert.Len(t, others.told, 3)
	assert.Equal(t, 0, present(), "the other one is later")
}

// TestOvertakenArrivalDoesNotStay has an account come in elsewhere later while it is on its way in here: it is not let in, so
// that whoever acknowledges the later arrival knows that the earlier one hears nothing.
func TestOvertakenArrivalDoesNotStay(t *testing.T) {
	others := &otherServers{}
	r := newTestRegistryIn(t, others)
	come := func(by Arrival, into string) error {
		others.arriving = func() {
			others.arriving = nil
			assert.Nil(t, r.ArrivedElsewhere("bo", "b", by), "there is nothing to end yet")
		}
		_, _, err := r.Join(into, NewParticipant(string(newID()), room.Identity{Account: "bo"}, discardConnection{}), room.JoinRequest{Name: "Bo", Role: room.Listener}, "ws", nil)
		return err
	}
	require.ErrorIs(t, come(Arrival{Stamp: 10, Server: "zeta"}, "a"), errOvertaken, "by a later one of another server")
	assert.Empty(t, r.accounts.find("bo"))
	require.NoError(t, come(Arrival{Stamp: 19, Server: "zeta"}, "a"), "the other one is earlier")
	assert.Len(t, r.accounts.find("bo"), 1)
	assert.Empty(t, r.arrivals.coming)
}

// TestRacingArrivalsLeaveOne has an account come into several rooms at the same moment, over and over: it is in one of them
// afterwards, the last one.
func TestRacingArrivalsLeaveOne(t *testing.T) {
	for _, c := range []struct {
		name  string
		rooms []string
	}{
		{"all into one room", []string{"a", "a", "a", "a"}},
		{"each into another room", []string{"a", "b", "c", "d"}},
		{"two into each of two rooms", []string{"a", "b", "a", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newTestRegistry(t)
			for range 200 {
				var coming sync.WaitGroup
				for _, into := range c.rooms {
					coming.Go(func() {
						p := NewParticipant(string(newID()), room.Identity{Account: "bo"}, discardConnection{})
						_, _, err := r.Join(into, p, room.JoinRequest{Name: "Bo", Role: room.Listener}, "ws", nil)
						if err != nil {
							assert.ErrorIs(t, err, errOvertaken)
						}
					})
				}
				coming.Wait()
				seats := r.accounts.find("bo")
				require.Len(t, seats, 1)
				require.Empty(t, r.arrivals.coming)
				people := 0
				for _, l := range r.List() {
					require.NoError(t, l.Ask(func(rules *room.Room) error { people += rules.Len(); return nil }))
				}
				require.Equal(t, 1, people)
			}
		})
	}
}

// TestRoomIsAdoptedOnce adopts a room several times at the same moment, as a node could that looked for rooms without an owner
// while it made one: all its people are in one room.
func TestRoomIsAdoptedOnce(t *testing.T) {
	r := newTestRegistryIn(t, &otherServers{})
	for i := range 50 {
		rules, err := room.New(r.rules(r.NewSpec(fmt.Sprint("room", i), "Lobby")), time.Now())
		require.NoError(t, err)
		var made atomic.Int64
		var adopting sync.WaitGroup
		for range 4 {
			adopting.Go(func() {
				if err := r.Adopt(rules.State()); err == nil {
					made.Add(1)
				} else {
					assert.ErrorIs(t, err, ErrHere)
				}
			})
		}
		adopting.Wait()
		require.EqualValues(t, 1, made.Load())
		require.Len(t, r.standing, i+1)
		require.ErrorIs(t, r.Adopt(rules.State()), ErrHere)
	}
	require.Empty(t, r.adopting)
}
