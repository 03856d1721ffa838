package scenario

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/earshot-audio/earshot/internal/decimal"
	"github.com/earshot-audio/earshot/loadgen/network"
)

// ownNetwork is the name of a network that has none.
const ownNetwork = "own"

// networks is a preset's name, or a network's own figures.
var networks = named("network", value[*network.Profile]{
	read: func(r *reader, f field, what string) *network.Profile {
		if _, mapping := f.node.(ast.MapNode); !mapping {
			return preset.read(r, f, what)
		}
		p := &network.Profile{Name: ownNetwork}
		networkForm().read(r, f, p)
		return p
	},
	schema: func() *jsonschema.Schema {
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Enum: enum(network.Presets()...)}, networkForm().schema()}}
	},
})

// preset is the name of a preset.
var preset = value[*network.Profile]{
	read: func(r *reader, f field, what string) *network.Profile {
		p, ok := network.Preset(choice(r, f, what, network.Presets()...))
		if !ok { // the error is there already
			return &network.Profile{Name: ownNetwork}
		}
		return p
	},
	schema: func() *jsonschema.Schema { return &jsonschema.Schema{Enum: enum(network.Presets()...)} },
}

func networkForm() form[network.Profile] {
	direction := named("direction", formed(directionForm(), network.Direction{}))
	fields := []member[network.Profile]{
		{
			name: "profile", help: "The preset that the other fields change.", schema: preset.schema,
			read: func(r *reader, f field, p *network.Profile) { *p = *preset.read(r, f, "profile") },
		},
		put("name", words("^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$", 32), func(p *network.Profile) *string { return &p.Name },
			"What thresholds call it: latency{network:NAME}. Left out: the profile's, or own."),
	}
	for _, m := range directionForm().fields {
		fields = append(fields, member[network.Profile]{
			name: m.name, help: m.help, standard: m.standard, schema: m.schema,
			read: func(r *reader, f field, p *network.Profile) {
				m.read(r, f, &p.Up)
				once := len(r.errs) // a mistake is reported once
				m.read(r, f, &p.Down)
				r.errs = r.errs[:once]
			},
		})
	}
	return form[network.Profile]{what: "network", fields: append(fields,
		member[network.Profile]{
			name: "up", help: "From the person to the server.", schema: direction.schema,
			read: func(r *reader, f field, p *network.Profile) { directionForm().named("up").read(r, f, &p.Up) },
		},
		member[network.Profile]{
			name: "down", help: "From the server to the person.", schema: direction.schema,
			read: func(r *reader, f field, p *network.Profile) { directionForm().named("down").read(r, f, &p.Down) },
		},
		put("outages", many(formed(outageForm(), network.Outage{}), ""), func(p *network.Profile) *[]network.Outage { return &p.Outages },
			"When nothing passes."),
		put("rebinds", many(moment, "a rebind"), func(p *network.Profile) *[]time.Duration { return &p.Rebinds },
			"When their address changes, as behind a NAT, counted from the end of the arrivals."),
	)}
}

// transports are the shares of a group that go by each transport.
var transports = formed(transportForm(), network.Shares{})

func transportForm() form[network.Shares] {
	share := integer[int](0, network.MaxShare)
	return form[network.Shares]{
		what: "transport",
		fields: []member[network.Shares]{
			put(string(network.UDP), share, func(s *network.Shares) *int { return &s.UDP }, "By UDP, as most people do.").or(0),
			put(string(network.TCP), share, func(s *network.Shares) *int { return &s.TCP }, "By TCP, to the server's TCP candidates (RFC 6544).").or(0),
			put(string(network.TURNUDP), share, func(s *network.Shares) *int { return &s.TURNUDP }, "Over UDP, by the TURN server of --turn-url.").or(0),
			put(string(network.TURNTCP), share, func(s *network.Shares) *int { return &s.TURNTCP }, "Over TCP, by the TURN server of --turn-url.").or(0),
			put(string(network.TURNTLS), share, func(s *network.Shares) *int { return &s.TURNTLS }, "Over TLS, by the TURN server of --turn-url.").or(0),
		},
		finish: func(r *reader, f field, _ map[string]field, s *network.Shares) {
			if *s == (network.Shares{}) {
				r.fail(f.node, "transport says of nobody how they reach the server: give it a share, like {udp: 90, tcp: 10}, or leave it out")
			}
		},
	}
}

// directionForm is the figures of one direction. On the network itself they are of
// both.
func directionForm() form[network.Direction] {
	return form[network.Direction]{
		what: "a direction",
		fields: []member[network.Direction]{
			put("delay", delay, func(d *network.Direction) *time.Duration { return &d.Delay },
				"How long a packet takes at the least: 10s at the most."),
			put("jitter", delay, func(d *network.Direction) *time.Duration { return &d.Jitter.Spread },
				"The spread of what is added to the delay by chance."),
			put("shape", oneOf(network.Shapes()...), func(d *network.Direction) *network.Shape { return &d.Jitter.Shape },
				"What the spread means: the deviation of a half normal distribution, the width of a uniform one, or the mean.").or(network.Normal),
			put("reorder", yes, func(d *network.Direction) *bool { return &d.Jitter.Reorder },
				"Whether jitter lets packets overtake each other.").or(false),
			put("loss", fraction(0, 1), func(d *network.Direction) *float64 { return &d.Loss },
				"The share of packets that are lost each by itself."),
			put("bursts", formed(burstsForm(), network.Bursts{Density: 1}), func(d *network.Direction) *network.Bursts { return &d.Bursts },
				"Losses in a row (Gilbert-Elliott)."),
			put("bandwidth", bandwidth, func(d *network.Direction) *float64 { return &d.Bandwidth },
				"What fits through, headers included. Left out: all."),
			put("queue", delay, func(d *network.Direction) *time.Duration { return &d.Queue },
				"How long a packet may wait for the bandwidth before it is dropped.").or(network.DefaultQueue.String()),
		},
	}
}

func burstsForm() form[network.Bursts] {
	packets := fraction(1, network.MaxPackets)
	density := value[float64]{
		read: func(r *reader, f field, what string) float64 {
			v := r.number(f, what, 0, 1)
			if v == 0 {
				r.fail(f.node, "density is 0, and a burst loses something: leave the bursts out")
			}
			return v
		},
		schema: func() *jsonschema.Schema {
			return &jsonschema.Schema{Type: "number", ExclusiveMinimum: new(0.0), Maximum: new(1.0)}
		},
	}
	return form[network.Bursts]{
		what: "bursts",
		fields: []member[network.Bursts]{
			put("every", packets, func(b *network.Bursts) *float64 { return &b.Every },
				"The mean number of packets from one burst to the next.").need(),
			put("length", packets, func(b *network.Bursts) *float64 { return &b.Length },
				"The mean number of packets in a burst.").need(),
			put("density", density, func(b *network.Bursts) *float64 { return &b.Density },
				"The share of a burst's packets that are lost.").or(1),
		},
	}
}

func outageForm() form[network.Outage] {
	return form[network.Outage]{
		what: "an outage",
		fields: []member[network.Outage]{
			put("at", moment, func(o *network.Outage) *time.Duration { return &o.At }, "When, counted from the end of the arrivals.").need(),
			put("for", moment, func(o *network.Outage) *time.Duration { return &o.For }, "For how long.").need(),
		},
	}
}

// delay is a length of time within a network's bounds.
var delay = value[time.Duration]{
	read: func(r *reader, f field, what string) time.Duration {
		d := r.duration(f, what).Duration()
		if d > network.MaxDelay {
			r.fail(f.node, "%s is %s: the longest is %s", what, d, network.MaxDelay)
		}
		return d
	},
	schema: length.schema,
}

// yes is true or false.
var yes = value[bool]{
	read:   (*reader).truth,
	schema: func() *jsonschema.Schema { return &jsonschema.Schema{Type: "boolean"} },
}

// bandwidth is bits a second.
var bandwidth = value[float64]{
	read: (*reader).bandwidth,
	schema: func() *jsonschema.Schema {
		return &jsonschema.Schema{
			Type: "string", Pattern: `^\s*(0|[1-9][0-9]*)(\.[0-9]+)?(kbps|Mbps|Gbps)\s*$`, Examples: []any{"1.5Mbps"},
		}
	},
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
		if !r.decimal(n, what) {
			return low
		}
		v = n.Value
	case *ast.IntegerNode:
		if !r.decimal(n, what) {
			return low
		}
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
	if !decimal.Is(parts[1]) {
		r.fail(f.node, "%s is %q: %v", what, text, decimal.ErrForm)
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
