package liveroom

import (
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
}

func (*otherServers) OwnedBy(string) int { return 0 }

func (o *otherServers) NewArrival() Arrival {
	o.stamp += 10
	return Arrival{Stamp: o.stamp, Server: "this"}
}

func (o *otherServers) Arrived(_, _ string, a Arrival) { o.told = append(o.told, a) }

func (*otherServers) Speaks() bool { return true }

func (*otherServers) Relay(string, *rtc.MediaRoom, time.Duration) Relay { return noRelay{} }

// Two servers let an account in at the same moment. The later one may have told the other while the
// account was not in there yet, so it says so again when it hears of the earlier one.
func TestArrivalsAtTwoServersLeaveTheLaterOne(t *testing.T) {
	r := newTestRegistry(t)
	others := &otherServers{}
	r.cfg.Cluster = others
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
	r.ArrivedElsewhere("bo", "b", here)
	r.ArrivedElsewhere("ada", "b", Arrival{Stamp: 3, Server: "other"})
	assert.Len(t, others.told, 1, "it is its own, or of somebody who is not here")
	r.ArrivedElsewhere("bo", "b", Arrival{Stamp: 9, Server: "other"})
	assert.Equal(t, []Arrival{here, here}, others.told, "the other server has to know of the later one")
	assert.Equal(t, 1, present())
	r.ArrivedElsewhere("bo", "b", Arrival{Stamp: 10, Server: "zeta"})
	assert.Len(t, others.told, 2)
	assert.Equal(t, 0, present(), "the other one is later")
}
