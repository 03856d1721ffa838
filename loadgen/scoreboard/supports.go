package scoreboard

import (
	"fmt"
	"slices"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// CheckNodes returns an error if the timeline kills or restarts servers that the run has not
// started.
func CheckNodes(cfg Config) error {
	if cfg.Scenario.OwnNodes() && cfg.Nodes == nil {
		return fmt.Errorf("%w: %s and %s are for servers that the run starts itself, as earshot run --nodes does", driver.ErrUnsupported, scenario.KillNode, scenario.RestartNode)
	}
	return nil
}

// Supports returns an error for a scenario that the driver can't play, before anything
// starts.
func Supports(d driver.Driver, s *scenario.Scenario) error {
	c := d.Capabilities()
	if n := s.Listeners() * s.Rooms; n > 0 && c.PublishOnly != "" {
		return fmt.Errorf("%w: the scenario casts %d listeners; %s", driver.ErrUnsupported, n, c.PublishOnly)
	}
	for _, e := range s.Timeline {
		if e.Do != "" && !e.Do.Spec().Local && !slices.Contains(c.Acts, e.Do) {
			return fmt.Errorf("%w: the timeline's %s needs signaling; the %s driver can only %s", driver.ErrUnsupported, e.Do, c.Driver, doable(c.Acts))
		}
	}
	if n := s.Nodes(); n > 0 && !c.Nodes {
		return fmt.Errorf("%w: the scenario names node %d; the %s driver knows no nodes", driver.ErrUnsupported, n, c.Driver)
	}
	if c.Mixes {
		return supportsMix(c, s)
	}
	if c.Sections != driver.AllVoices {
		return nil
	}
	for _, g := range s.Cast {
		if mics := s.WithMics(); g.Sections != 0 && g.Sections < mics {
			return fmt.Errorf("%w: a group has sections: %d, and the server sends every listener all %d voices of a room; leave it out", driver.ErrUnsupported, g.Sections, mics)
		}
	}
	return nil
}

// supportsMix returns an error for a scenario that a server that mixes can't be measured by.
func supportsMix(c driver.Capabilities, s *scenario.Scenario) error {
	if s.Listeners() > 0 && s.AudioCheck != scenario.CheckMarker {
		return fmt.Errorf("%w: the %s driver's server mixes what the speakers say, and its packets say nothing of theirs: set audio_check: marker in the scenario, as the scenario mix has it", driver.ErrUnsupported, c.Driver)
	}
	for _, g := range s.Cast {
		if g.Sections > 1 {
			return fmt.Errorf("%w: a group has sections: %d, and the %s driver's server sends every listener one mix; leave it out", driver.ErrUnsupported, g.Sections, c.Driver)
		}
	}
	return nil
}

// doable lists verbs, and leave, which any driver can play.
func doable(acts []scenario.Verb) string {
	text := ""
	for _, verb := range acts {
		text += string(verb) + ", "
	}
	return text + string(scenario.Leave)
}
