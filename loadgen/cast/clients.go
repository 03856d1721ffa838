package cast

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/netem"
	"github.com/earshot-audio/earshot/loadgen/network"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/tally"
)

// clients makes the run's clients, and counts what they have in common. It is safe for
// concurrent use. Close ends the crowd and the emulated networks.
type clients struct {
	scenario     *scenario.Scenario
	capabilities driver.Capabilities
	pion         *client.PionFactory
	crowd        *client.Crowd
	emulator     *netem.Emulator
	nacks        *feedback.NACKCounter
	names        hostNames
}

func newClients(s Setting, health *tally.Health) (*clients, error) {
	capabilities := s.Driver.Capabilities()
	for _, via := range s.Scenario.Transports() {
		if !via.Relayed() {
			continue
		}
		if _, err := s.TURN.Server(via); err != nil {
			return nil, err
		}
	}
	nacks := &feedback.NACKCounter{}
	pion, err := client.NewPionFactory(s.Clock, s.Driver.Loopback(), iceServers(capabilities), nacks, health.RecordRead, s.TURN)
	if err != nil {
		return nil, err
	}
	crowd, err := client.NewCrowd(s.Clock, nacks, health.RecordRead, MaxVoices(s.Scenario), s.TURN)
	if err != nil {
		return nil, err
	}
	return &clients{
		scenario: s.Scenario, capabilities: capabilities, pion: pion, crowd: crowd, nacks: nacks,
		emulator: netem.NewEmulator(s.Clock, s.Scenario.Seed, s.Problems.Add, func(d time.Duration) { health.RecordRead(d, 1) }),
	}, nil
}

// iceServers returns what gives Pion clients a driver's ICE servers.
func iceServers(c driver.Capabilities) func() []webrtc.ICEServer {
	return func() (servers []webrtc.ICEServer) {
		if c.ICEServers == nil {
			return nil
		}
		for _, s := range c.ICEServers() {
			servers = append(servers, webrtc.ICEServer{URLs: []string{s.URL}, Username: s.Username, Credential: s.Credential})
		}
		return servers
	}
}

// sections returns how many voices the listeners of a group offer to receive.
func (c *clients) sections(g scenario.Group) int {
	if g.Sections == 0 && c.capabilities.Sections == driver.AllVoices {
		return max(1, c.scenario.WithMics())
	}
	return cmp.Or(g.Sections, c.capabilities.Sections, c.scenario.Room.Slots)
}

// errTransports means that listeners were to go by something that their clients do not.
var errTransports = fmt.Errorf("%w: listeners who go by tcp or turn: this server lets only whole WebRTC clients stay, which go by UDP here: leave out their transport", driver.ErrUnsupported)

// check returns an error for listeners whom the server, of which a room is open, would not let
// stay.
func (c *clients) check() error {
	if !c.whole() {
		return nil
	}
	for _, g := range c.scenario.Cast {
		if g.Role == scenario.Listener && !slices.Equal(g.Transport.Transports(), []network.Transport{network.UDP}) {
			return errTransports
		}
	}
	return nil
}

// whole reports whether all who listen need a whole WebRTC client.
func (c *clients) whole() bool {
	return c.capabilities.WholeClients != nil && c.capabilities.WholeClients()
}

// newSubscriber makes a person's receiving client: a probe, or a client of the crowd. Where all
// need a whole client it is one of the crowd, which costs nothing: its offer is not taken.
func (c *clients) newSubscriber(p *person, receive client.PacketFunc) (client.Subscriber, error) {
	if p.probe && !c.whole() {
		return c.newWholeSubscriber(p, receive)
	}
	group := c.scenario.Cast[p.group]
	return c.crowd.NewClient(c.sections(group), p.via, p.impairment, group.RepairedBy(), p.account), nil
}

// newAnswerer makes a person's receiving client for an offer of the server's.
func (c *clients) newAnswerer(p *person, receive client.PacketFunc) (client.Subscriber, error) {
	if c.whole() {
		return c.newWholeSubscriber(p, receive)
	}
	return c.newSubscriber(p, receive)
}

// newWholeSubscriber makes a receiving client of Pion's, which does all that a server may offer.
func (c *clients) newWholeSubscriber(p *person, receive client.PacketFunc) (client.Subscriber, error) {
	group := c.scenario.Cast[p.group]
	return c.pion.NewProbe(c.sections(group), p.impairment, group.RepairedBy(), receive)
}

// refused returns how many packets failed authentication, and how many were replays.
func (c *clients) refused() (unauthentic, replayed uint64) {
	unauthentic, replayed = c.crowd.Refused()
	u, r := c.pion.Refused()
	return unauthentic + u, replayed + r
}

// Close ends the crowd and the emulated networks. People's own clients are closed
// before.
func (c *clients) Close() error {
	defer c.emulator.Close()
	return c.crowd.Close()
}

// MaxVoices returns how many voices at once anybody hears at most.
func MaxVoices(s *scenario.Scenario) (most int) {
	for _, g := range s.Cast {
		most = max(most, VoicesHeard(s, g))
	}
	return most
}

// VoicesHeard returns how many voices at once a person of a group hears at most.
func VoicesHeard(s *scenario.Scenario, of scenario.Group) int {
	voices := 0
	for _, g := range s.Cast {
		switch {
		case g.Role == scenario.Listener || len(g.Audio) == 0:
		case g.Turns != nil:
			voices += min(g.Count, g.Turns.Overlap)
		default:
			voices += g.Count
		}
	}
	n := min(voices, s.Room.Slots)
	if of.Sections > 0 {
		n = min(n, of.Sections)
	}
	return n
}
