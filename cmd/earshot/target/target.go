package target

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/reach"
	"github.com/earshot-audio/earshot/internal/serverprocess"
	"github.com/earshot-audio/earshot/internal/urltext"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/earshot"
	"github.com/earshot-audio/earshot/loadgen/driver/janus"
	"github.com/earshot-audio/earshot/loadgen/driver/livekit"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/meter"
	"github.com/earshot-audio/earshot/loadgen/network"
)

// drivers are the drivers that earshot can play with, the default first.
func drivers() driver.Kinds {
	return driver.Kinds{earshot.Kind(), whep.Kind(), livekit.Kind(), janus.Kind()}
}

// Flags say what to play against.
type Flags struct {
	driver    string
	values    map[string]string // of the drivers' own flags, by name
	token     string
	serverPID int
	nodes     int // of a cluster that the run starts; 0: as many as the scenario names
	turn      TURNFlags
}

// Bind adds the flags to a command.
func (f *Flags) Bind(c *cobra.Command) {
	flags := c.Flags()
	kinds := drivers()
	f.values = map[string]string{}
	flags.StringVar(&f.driver, "driver", kinds[0].Name, kinds.Usage())
	for _, kind := range kinds {
		for _, own := range kind.Flags {
			flags.Var(driverFlag{f.values, own.Name}, own.Name, own.Usage)
		}
	}
	flags.StringVar(&f.token, "token", "", "bearer `token` for the target (the operator's, of an earshot server); {room} stands for the room with --driver whep")
	flags.IntVar(&f.serverPID, "server-pid", 0, "measure CPU and memory of this process `number` of the machine as the target's")
	f.turn.Bind(flags)
	cli.Complete(c, "driver", cobra.FixedCompletions(kinds.Names(), cobra.ShellCompDirectiveNoFileComp))
}

// BindNodes adds the flag of a cluster that the run starts.
func (f *Flags) BindNodes(flags *pflag.FlagSet) {
	flags.IntVar(&f.nodes, "nodes", 0, "start `N` servers of a cluster for the run, each a process, and their NATS server (default: as many as the scenario names, or one server)")
}

// A driverFlag is the value of a driver's own flag, in the map of all of them.
type driverFlag struct {
	values map[string]string
	name   string
}

var _ pflag.Value = driverFlag{}

// String implements pflag.Value.
func (v driverFlag) String() string { return v.values[v.name] }

// Set implements pflag.Value.
func (v driverFlag) Set(text string) error {
	if v.name == drivers()[0].TargetFlag {
		text = reach.WithScheme(text)
	}
	v.values[v.name] = text
	return nil
}

// Type implements pflag.Value.
func (v driverFlag) Type() string { return "string" }

// OwnServer reports whether the run starts a server of its own.
func (f Flags) OwnServer() bool {
	kind, err := drivers().Find(f.driver)
	return err == nil && kind.OwnServer && f.values[kind.TargetFlag] == ""
}

// Name is the target, for people.
func (f Flags) Name() string {
	kind, err := drivers().Find(f.driver)
	if err != nil || f.OwnServer() {
		return "earshot's own server"
	}
	f.readEnvironment(kind)
	return urltext.Safe(f.values[kind.TargetFlag])
}

// readEnvironment gives flags of a driver that have no value that of their environment
// variable.
func (f Flags) readEnvironment(kind driver.Kind) {
	for _, own := range kind.Flags {
		if own.Env != "" && f.values[own.Name] == "" {
			f.values[own.Name] = os.Getenv(own.Env)
		}
	}
}

// Connect puts the driver and the meter of the server into the configuration, and
// starts a server if no target is given. The caller closes what it returns. died is
// called if that server ends early.
func (f Flags) Connect(ctx context.Context, cfg *loadgen.Config, roots *tls.Config, died context.CancelCauseFunc) (io.Closer, error) {
	kinds := drivers()
	kind, err := kinds.Find(f.driver)
	if err == nil {
		err = kinds.CheckFlags(kind, f.values)
	}
	if err == nil && f.serverPID != 0 && f.OwnServer() {
		err = errors.New("--server-pid goes with a target: the run's own server is measured anyway")
	}
	if err == nil {
		cfg.TURN, err = f.turn.server(roots)
	}
	if err != nil {
		return nil, cli.Usage(err)
	}
	f.readEnvironment(kind)
	if f.OwnServer() && max(f.nodes, cfg.Scenario.Nodes()) > 0 {
		return f.startNodes(ctx, kind, cfg, roots, died)
	}
	if f.OwnServer() {
		return startServer(ctx, kind, cfg, roots, died)
	}
	d, err := kind.New(driver.Options{Flags: f.values, Token: f.token, TLS: roots})
	if err != nil {
		return nil, cli.Usage(err)
	}
	cfg.Driver, cfg.Server = d, d.Capabilities().Meter
	if f.serverPID != 0 {
		cfg.Server = meter.Process{PID: f.serverPID}
	}
	return io.NopCloser(nil), nil
}

// startServer starts this program's own server on free ports of the loopback, and
// makes the driver for it.
func startServer(ctx context.Context, kind driver.Kind, cfg *loadgen.Config, roots *tls.Config, died context.CancelCauseFunc) (io.Closer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's own file: %w", err)
	}
	args := []string{"serve", "--open", "--rate-limit-exempt", "127.0.0.0/8", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--stop-with-stdin"}
	if slices.Contains(cfg.Scenario.Transports(), network.TCP) {
		args = append(args, "--ice-tcp", "127.0.0.1:0")
	}
	server, err := serverprocess.Start(ctx, exec.Command(self, args...), died)
	if err != nil {
		return nil, fmt.Errorf("start a server for the run: %w", err)
	}
	d, err := kind.New(driver.Options{Flags: map[string]string{kind.TargetFlag: server.URL}, TLS: roots})
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	cfg.Driver, cfg.Server = d, meter.Process{PID: server.PID()}
	if loadgen.Contended(host.CurrentLimits(), cfg.Scenario) {
		serverprocess.LowerPriority(ctx)
	}
	return server, nil
}

// Exposed says that the target's token, or one of the driver's own, would be sent in the
// open.
func (f Flags) Exposed() []string {
	token := f.token
	if kind, err := drivers().Find(f.driver); err == nil {
		f.readEnvironment(kind)
		for _, own := range kind.Flags {
			if own.Token {
				token = cmp.Or(token, f.values[own.Name])
			}
		}
	}
	return cli.PlainToken(token, slices.Sorted(maps.Values(f.values)))
}
