package main

import (
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

func TestHelpGolden(t *testing.T) {
	for _, c := range []struct{ name, args string }{
		{"help.txt", "--help"},
		{"help-run.txt", "run --help"},
		{"help-compare.txt", "compare --help"},
		{"help-capacity.txt", "capacity --help"},
		{"help-versus.txt", "versus --help"},
		{"help-serve.txt", "serve --help"},
		{"help-node.txt", "node --help"},
		{"help-scenario.txt", "scenario --help"},
		{"help-init.txt", "init --help"},
		{"help-scenario-list.txt", "scenario list --help"},
		{"help-scenario-show.txt", "scenario show --help"},
		{"help-scenario-check.txt", "scenario check --help"},
		{"help-scenario-schema.txt", "scenario schema --help"},
		{"help-summary.txt", "summary --help"},
		{"help-summary-schema.txt", "summary schema --help"},
		{"help-room.txt", "room --help"},
		{"help-room-list.txt", "room list --help"},
		{"help-room-show.txt", "room show --help"},
		{"help-room-create.txt", "room create --help"},
		{"help-room-end.txt", "room end --help"},
		{"help-room-kick.txt", "room kick --help"},
		{"help-room-mute.txt", "room mute --help"},
		{"help-invite.txt", "invite --help"},
		{"help-invite-create.txt", "invite create --help"},
		{"help-invite-list.txt", "invite list --help"},
		{"help-invite-revoke.txt", "invite revoke --help"},
		{"help-audit.txt", "audit --help"},
		{"help-version.txt", "version --help"},
	} {
		t.Run(c.args, func(t *testing.T) {
			stdout, stderr, code := command(t, strings.Fields(c.args)...)
			assert.Zero(t, code)
			assert.Empty(t, stderr)
			assert.Contains(t, stdout, "Examples:")
			golden(t, c.name, stdout)
		})
	}
}

func TestHelpFitsItsTerminal(t *testing.T) {
	var check func(c *cobra.Command, width int)
	check = func(c *cobra.Command, width int) {
		for line := range strings.Lines(c.Long) {
			if strings.HasPrefix(line, "\t") {
				continue // a line to copy, of cobra's
			}
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSpace(line)), width, "%s: %s", c.CommandPath(), line)
		}
		for _, below := range c.Commands() {
			check(below, width)
		}
	}
	root := newRoot(io.Discard, io.Discard)
	for _, row := range []struct{ width, most int }{{0, 80}, {200, 80}, {80, 80}, {40, 40}} {
		fitHelp(root, row.width)
		check(root, row.most)
	}
}

func TestListOfScenariosFitsItsTerminal(t *testing.T) {
	whole := strings.Fields(builtIns(0))
	for _, width := range []int{0, 40, 59, 60, 80, 200} {
		list := builtIns(width)
		assert.Equal(t, whole, strings.Fields(list), "the words are the same")
		for line := range strings.Lines(list) {
			if width > 0 {
				assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), width, line)
			}
		}
	}
	assert.Contains(t, builtIns(40), "  one-speaker-500\n    Does a lecture reach everybody?\n")
	assert.Contains(t, builtIns(80), "  one-speaker-500   Does a lecture reach everybody?\n")
}

func TestBadUsageExits2(t *testing.T) {
	const smoke = "../../scenarios/smoke.yaml"
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"an unknown command", []string{"rnu"}, `unknown command "rnu": did you mean run?`},
		{"no scenario", []string{"run"}, "run takes a scenario"},
		{"an unknown flag", []string{"run", smoke, "--lisners", "5"}, "unknown flag: --lisners: did you mean --listeners?"},
		{"a scenario that is not there", []string{"run", "nowhere.yaml"}, "nowhere.yaml"},
		{"a threshold without a colon", []string{"run", smoke, "--threshold", "latency"}, "is not of the form"},
		{"a threshold on a misspelt metric", []string{"run", smoke, "--threshold", "latancy: p(99) < 20ms"}, "latency"},
		{"an unknown driver", []string{"run", smoke, "--driver", "sip"}, "there are earshot, whep, livekit, janus"},
		{"a misspelt driver", []string{"run", smoke, "--driver", "wehp"}, `unknown --driver "wehp": did you mean whep?`},
		{"a misspelt colour", []string{"run", smoke, "--color", "alway"}, "did you mean always?"},
		{"a misspelt quantity", []string{"capacity", smoke, "--vary", "listenrs", "--from", "1", "--to", "2", "--until", "latency: p(99) < 1s"}, "did you mean listeners?"},
		{"a misspelt part of a metric", []string{"run", smoke, "--threshold", "latency{netwrk:3g}: p(99) < 1s"}, "did you mean network?"},
		{"a misspelt field of a scenario", []string{"scenario", "check", file(t, "m.yaml", "name: x\nhodl: 3s\n")}, "did you mean hold?"},
		{"a misspelt word of a scenario", []string{"scenario", "check", file(t, "w.yaml", "name: x\nhold: 3s\ncast: [{role: speeker, count: 1}]\n")}, "did you mean speaker?"},
		{"the first of two files that can't be written", []string{"run", smoke, "--html", "/nowhere/r.html", "--junit", "/nowhere/j.xml"}, "--html: /nowhere/r.html"},
		{"and the second", []string{"run", smoke, "--html", "/nowhere/r.html", "--junit", "/nowhere/j.xml"}, "--junit: /nowhere/j.xml"},
		{"the whep driver without URLs", []string{"run", smoke, "--driver", "whep"}, "needs --wh"},
		{"the janus driver without a URL", []string{"run", "mix", "--driver", "janus"}, "needs --janus-url"},
		{"packets of a server that mixes", []string{"run", smoke, "--driver", "janus", "--janus-url", "ws://127.0.0.1:1"}, "set audio_check: marker in the scenario, as the scenario mix has it"},
		{"a target that is no URL", []string{"run", smoke, "--target", "localhost"}, "is not an http or https URL"},
		{"WHIP URLs for the other driver", []string{"run", smoke, "--whip-url", "http://x/"}, "go with --driver whep"},
		{"a colour that is none", []string{"run", smoke, "--color", "blue"}, "there are auto, always, never"},
		{"no listeners", []string{"run", smoke, "--listeners", "-1"}, "--listeners"},
		{"a summary that can't be written", []string{"run", smoke, "--summary", "/nowhere/s.json"}, "can't be written"},
		{"two reports in one file", []string{"run", smoke, "--summary", "/dev/null", "--junit", "/dev/null"}, "both write to"},
		{"no runs", []string{"run", smoke, "--repeat", "0"}, "--repeat 0"},
		{"a dashboard on an address that is none", []string{"run", smoke, "--dashboard", "nowhere"}, "--dashboard"},
		{"metrics on an address that is none", []string{"run", smoke, "--prometheus", "nowhere"}, "--prometheus"},
		{"authorities that are not there", []string{"run", smoke, "--ca", "nowhere.pem"}, "--ca"},
		{"an open server for the network", []string{"serve", "--open", "--http", "0.0.0.0:0"}, "--open-to-network"},
		{"an open server on the name of any host", []string{"serve", "--open", "--http", ":0"}, "--open-to-network"},
		{"an address without a port", []string{"serve", "--http", "127.0.0.1"}, "--http"},
		{"a certificate without its key", []string{"serve", "--tls-cert", "x.pem"}, "belong together"},
		{"two certificates", []string{"serve", "--tls-cert", "x", "--tls-key", "x", "--tls-self-signed"}, "choose"},
		{"an open server that keeps", []string{"serve", "--open", "--data", "x"}, "--open keeps nothing"},
		{"a proxy that is no range", []string{"serve", "--trusted-proxy", "10.0.0.1"}, "--trusted-proxy"},
		{"the PROXY protocol from anybody", []string{"serve", "--proxy-protocol"}, "goes with --trusted-proxy"},
		{"too few connections", []string{"serve", "--max-connections", "3"}, "--max-connections"},
		{"more connections than files", []string{"serve", "--max-connections", "2000000000"}, "ulimit -n"},
		{"a public URL with a path", []string{"serve", "--public-url", "https://x.example/y"}, "--public-url"},
		{"a repair of nothing", []string{"serve", "--open", "--repair"}, "--repair is for --data"},
		{"an open server that keeps elsewhere", []string{"serve", "--open", "--nats", "nats://x"}, "--open keeps nothing"},
		{"the network for a server that is not open", []string{"serve", "--open-to-network"}, "goes with --open"},
		{"an exemption of nothing in particular", []string{"serve", "--rate-limit-exempt", "all"}, "--rate-limit-exempt"},
		{"no operator's token", []string{"room", "list", "--data", "nowhere"}, "give --token"},
		{"a server that is no URL", []string{"room", "list", "--token", "x", "--target", "localhost"}, "is not an http or https URL"},
		{"a room without a name", []string{"room", "create"}, "NAME is missing: write earshot room create NAME (see earshot room create --help)"},
		{"an invite for less than a second", []string{"invite", "create", "--token", "x", "--ttl", "10ms"}, "whole seconds"},
		{"a role in the club", []string{"invite", "create", "--token", "x", "--role", "host"}, "--role goes with a room"},
		{"a cluster of nothing", []string{"serve", "--cluster"}, "--cluster goes with --nats"},
		{"a cluster of both kinds", []string{"serve", "--cluster", "--nats", "nats://127.0.0.1:1", "--cluster-listen", "127.0.0.1:1", "--join", "127.0.0.1:2,127.0.0.1:3"}, "exclude each other"},
		{"other nodes for a single server", []string{"serve", "--cluster-listen", "127.0.0.1:1", "--join", "127.0.0.1:2,127.0.0.1:3"}, "go with --cluster"},
		{"a node without others", []string{"serve", "--cluster", "--cluster-listen", "127.0.0.1:1"}, "belong together"},
		{"a node with one other", []string{"serve", "--cluster", "--cluster-listen", "127.0.0.1:1", "--join", "127.0.0.1:2"}, "names 1 nodes, and must name the two others"},
		{"a node that joins itself", []string{"serve", "--cluster", "--cluster-listen", "127.0.0.1:1", "--join", "127.0.0.1:2,127.0.0.1:1"}, "each node has an address of its own"},
		{"a node that any network reaches", []string{"serve", "--cluster", "--cluster-listen", "192.0.2.7:6222", "--join", "192.0.2.8:6222,192.0.2.9:6222"}, "add --cluster-cert, --cluster-key and --cluster-ca, or choose loopback addresses"},
		{"nodes of this machine and of others", []string{"serve", "--cluster", "--cluster-listen", "127.0.0.1:1", "--join", "192.0.2.8:6222,192.0.2.9:6222"}, "others can't reach those"},
		{"a node at every address", []string{"serve", "--cluster", "--cluster-listen", "0.0.0.0:6222", "--join", "192.0.2.8:6222,192.0.2.9:6222"}, "no address by which others reach a node"},
		{"a node without a port", []string{"serve", "--cluster", "--cluster-listen", "127.0.0.1", "--join", "127.0.0.1:2,127.0.0.1:3"}, "--cluster-listen: address 127.0.0.1: missing port"},
		{"a node with any port", []string{"serve", "--cluster", "--cluster-listen", "127.0.0.1:1", "--join", "127.0.0.1:0,127.0.0.1:3"}, "--join 127.0.0.1:0: the port"},
		{"a single server that imports what it has", []string{"serve", "--import"}, "--import goes with --cluster"},
		{"a certificate of a node without its authority", []string{"serve", "--cluster", "--cluster-listen", "127.0.0.1:1", "--join", "127.0.0.1:2,127.0.0.1:3", "--cluster-cert", "c.pem", "--cluster-key", "k.pem"}, "--cluster-ca belong together"},
		{"a certificate of a node that is not there", []string{"serve", "--cluster", "--cluster-listen", "127.0.0.1:1", "--join", "127.0.0.1:2,127.0.0.1:3", "--cluster-cert", "/nowhere/c.pem", "--cluster-key", "/nowhere/k.pem", "--cluster-ca", "/nowhere/a.pem", "--data", t.TempDir()}, "--cluster-cert, --cluster-key:"},
		{"no time to join", []string{"serve", "--cluster", "--cluster-listen", "127.0.0.1:1", "--join", "127.0.0.1:2,127.0.0.1:3", "--join-within", "0s"}, "--join-within must be positive"},
		{"a repair of a node", []string{"serve", "--cluster", "--cluster-listen", "127.0.0.1:1", "--join", "127.0.0.1:2,127.0.0.1:3", "--repair"}, "the others fill it"},
		{"an unknown log format", []string{"serve", "--log-format", "xml"}, "neither text nor json"},
		{"an advertised address that is none", []string{"serve", "--advertise", "me"}, "--advertise"},
		{"one argument of two", []string{"room", "kick", "lobby"}, "MEMBER is missing: write earshot room kick ROOM MEMBER"},
		{"an argument too many", []string{"run", "smoke", "ci"}, `unexpected argument "ci": write earshot run SCENARIO (see earshot run --help)`},
		{"an argument for a command without any", []string{"version", "2"}, `unexpected argument "2": write earshot version (see`},
		{"an argument beside flags", []string{"capacity", "smoke", "ci"}, `unexpected argument "ci": write earshot capacity SCENARIO (see`},
		{"a summary that is not named", []string{"report"}, "SUMMARY is missing: write earshot report SUMMARY"},
		{"two files to begin with", []string{"init", "a.yaml", "b.yaml"}, `unexpected argument "b.yaml": write earshot init [FILE]`},
		{"help on an unknown command", []string{"help", "rnu"}, `unknown command "rnu": did you mean run?`},
		{"help on an unknown command below one", []string{"help", "scenario", "chek"}, `unknown command "chek": did you mean check?`},
		{"an unknown shell", []string{"completion", "basj"}, `unknown command "basj": did you mean bash?`},
		{"an unknown command of rooms", []string{"room", "lst"}, `unknown command "lst": did you mean list?`},
		{"an unknown command of nodes", []string{"node", "drian"}, `unknown command "drian": did you mean drain?`},
		{"an unknown command of invites", []string{"invite", "creat"}, `unknown command "creat": did you mean create?`},
		{"an unknown command of summaries", []string{"summary", "shema"}, `unknown command "shema": did you mean schema?`},
		{"an unknown scenario to show", []string{"scenario", "show", "smok"}, "did you mean smoke?"},
		{"nothing to check", []string{"scenario", "check"}, "FILE... is missing: write earshot scenario check FILE..."},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, code := command(t, c.args...)
			assert.Equal(t, cli.ExitUsage, code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, c.says)
		})
	}
}
