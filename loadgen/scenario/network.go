package scenario

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/earshot-audio/earshot/loadgen/network"
)

// ownNetwork is the name of a network that has none.
const ownNetwork = "own"

// directionFields are what a direction of a network can have; on the network
// itself they are of both.
var directionFields = []string{"delay", "jitter", "shape", "reorder", "loss", "bursts", "bandwidth", "queue"}

// network reads a preset's name, or a network's own figures.
func (r *reader) network(f field) *network.Profile {
	if _, mapping := f.node.(ast.MapNode); !mapping {
		return r.preset(f, "network")
	}
	fields := r.fields(f, "network", append([]string{"name", "profile", "up", "down", "outages", "rebinds"}, directionFields...)...)
	p := &network.Profile{Name: ownNetwork}
	if v, ok := fields["profile"]; ok {
		p = r.preset(v, "profile")
	}
	if v, ok := fields["name"]; ok {
		p.Name = r.text(v, "name")
	}
	r.direction(fields, &p.Up)
	r.direction(fields, &p.Down)
	for key, d := range map[string]*network.Direction{"up": &p.Up, "down": &p.Down} {
		if v, ok := fields[key]; ok {
			r.direction(r.fields(v, key, directionFields...), d)
		}
	}
	if v, ok := fields["outages"]; ok {
		for _, item := range r.items(v, "outages") {
			p.Outages = append(p.Outages, r.outage(item))
		}
	}
	if v, ok := fields["rebinds"]; ok {
		for _, item := range r.items(v, "rebinds") {
			p.Rebinds = append(p.Rebinds, r.duration(item, "a rebind").Duration())
		}
	}
	return p
}

// preset reads the name of a preset.
func (r *reader) preset(f field, what string) *network.Profile {
	p, ok := network.Preset(choice(r, f, what, network.Presets()...))
	if !ok { // which has been told
		return &network.Profile{Name: ownNetwork}
	}
	return p
}

// direction reads what is there of a direction's fields into d. Both
// directions may be read from the same fields, whose mistakes are told once.
func (r *reader) direction(fields map[string]field, d *network.Direction) {
	before := len(r.errs)
	for key, f := range fields {
		switch key {
		case "delay":
			d.Delay = r.delay(f, key)
		case "jitter":
			d.Jitter.Spread = r.delay(f, key)
		case "shape":
			d.Jitter.Shape = choice(r, f, key, network.Shapes()...)
		case "reorder":
			d.Jitter.Reorder = r.truth(f, key)
		case "loss":
			d.Loss = r.number(f, key, 0, 1)
		case "bursts":
			d.Bursts = r.bursts(f)
		case "bandwidth":
			d.Bandwidth = r.bandwidth(f, key)
		case "queue":
			d.Queue = r.delay(f, key)
		}
		if len(r.errs) > before {
			delete(fields, key)
			before = len(r.errs)
		}
	}
}

func (r *reader) bursts(f field) network.Bursts {
	b := network.Bursts{Density: 1}
	fields := r.fields(f, "bursts", "every", "length", "density")
	if fields == nil {
		return network.Bursts{}
	}
	r.require(f, fields, "bursts", "every", "length")
	for key, f := range fields {
		switch key {
		case "every":
			b.Every = r.number(f, key, 1, network.MaxPackets)
		case "length":
			b.Length = r.number(f, key, 1, network.MaxPackets)
		case "density":
			b.Density = r.number(f, key, 0, 1)
			if b.Density == 0 {
				r.fail(f.node, "density is 0, and a burst loses something: leave the bursts out")
			}
		}
	}
	return b
}

func (r *reader) outage(f field) (o network.Outage) {
	fields := r.fields(f, "an outage", "at", "for")
	if fields == nil {
		return o
	}
	r.require(f, fields, "an outage", "at", "for")
	if v, ok := fields["at"]; ok {
		o.At = r.duration(v, "at").Duration()
	}
	if v, ok := fields["for"]; ok {
		o.For = r.duration(v, "for").Duration()
	}
	return o
}

// delay reads a length of time within a network's bounds.
func (r *reader) delay(f field, what string) time.Duration {
	d := r.duration(f, what).Duration()
	if d > network.MaxDelay {
		r.fail(f.node, "%s is %s: the longest is %s", what, d, network.MaxDelay)
	}
	return d
}

// truth reads true or false.
func (r *reader) truth(f field, what string) bool {
	v, ok := f.node.(*ast.BoolNode)
	if !ok {
		r.wrong(f.node, what, "true or false")
		return false
	}
	return v.Value
}

// number reads a number from low to high.
func (r *reader) number(f field, what string, low, high float64) float64 {
	var v float64
	switch n := f.node.(type) {
	case *ast.FloatNode:
		v = n.Value
	case *ast.IntegerNode:
		switch i := n.Value.(type) {
		case int64:
			v = float64(i)
		case uint64:
			v = float64(i)
		}
	default:
		r.wrong(f.node, what, fmt.Sprintf("a number from %v to %v", low, high))
		return low
	}
	if v < low || v > high {
		r.fail(f.node, "%s is %v: it can be %v to %v", what, v, low, high)
		return low
	}
	return v
}

var bandwidthForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(kbps|Mbps|Gbps)$`)

// bandwidth reads bits a second.
func (r *reader) bandwidth(f field, what string) float64 {
	text := strings.TrimSpace(r.text(f, what))
	parts := bandwidthForm.FindStringSubmatch(text)
	if parts == nil {
		if text != "" {
			r.fail(f.node, "%s is %q: write a number with a unit, like 64kbps or 1.5Mbps", what, text)
		}
		return 0
	}
	v, err := strconv.ParseFloat(parts[1], 64)
	if err != nil {
		r.fail(f.node, "%s: %v", what, err)
		return 0
	}
	v *= map[string]float64{"kbps": 1e3, "Mbps": 1e6, "Gbps": 1e9}[parts[2]]
	if v < network.MinBandwidth || v > network.MaxBandwidth {
		r.fail(f.node, "%s is %s: it can be 1kbps to 100Gbps", what, text)
		return 0
	}
	return v
}
