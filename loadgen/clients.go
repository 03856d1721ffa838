package loadgen

import (
	"cmp"
	"time"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/feedback"
	"github.com/earshot-audio/earshot/loadgen/netem"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// TURN is the TURN server of those who go by one.
type TURN = client.TURN

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

func newClients(cfg Config, clock *timebase.Clock, health *generatorHealth, problems *problems) (*clients, error) {
	capabilities := cfg.Driver.Capabilities()
	for _, via := range cfg.Scenario.Transports() {
		if !via.Relayed() {
			continue
		}
		if _, err := cfg.TURN.Server(via); err != nil {
			return nil, err
		}
	}
	nacks := &feedback.NACKCounter{}
	pion, err := client.NewPionFactory(clock, cfg.Driver.Loopback(), iceServers(capabilities), nacks, health.recordRead, cfg.TURN)
	if err != nil {
		return nil, err
	}
	crowd, err := client.NewCrowd(clock, nacks, health.recordRead, maxVoices(cfg.Scenario), cfg.TURN)
	if err != nil {
		return nil, err
	}
	return &clients{
		scenario: cfg.Scenario, capabilities: capabilities, pion: pion, crowd: crowd, nacks: nacks,
		emulator: netem.NewEmulator(clock, cfg.Scenario.Seed, problems.add, func(d time.Duration) { health.recordRead(d, 1) }),
	}, nil
}

// sections returns how many voices the listeners of a group offer to receive.
func (c *clients) sections(g scenario.Group) int {
	if g.Sections == 0 && c.capabilities.Sections == driver.AllVoices {
		return max(1, castMics(c.scenario))
	}
	return cmp.Or(g.Sections, c.capabilities.Sections, c.scenario.Room.Slots)
}

// One listener in a hundred is a probe, and at least two are.
const (
	listenersPerProbe = 100
	minProbes         = 2
)

// newSubscriber makes a person's receiving client: a probe, or a client of the crowd.
func (c *clients) newSubscriber(p *person, receive client.PacketFunc) (client.Subscriber, error) {
	group := c.scenario.Cast[p.group]
	sections, repair := c.sections(group), group.RepairedBy()
	if p.probe {
		return c.pion.NewProbe(sections, p.impairment, repair, receive)
	}
	return c.crowd.NewClient(sections, p.via, p.impairment, repair, p.account), nil
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
