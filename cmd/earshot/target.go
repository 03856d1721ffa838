package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/driver/earshot"
	"github.com/earshot-audio/earshot/loadgen/driver/whep"
	"github.com/earshot-audio/earshot/loadgen/host"
)

// drivers are the drivers that earshot can play with, the default first.
func drivers() driver.Kinds { return driver.Kinds{earshot.Kind(), whep.Kind()} }

// targetFlags are the flags that say what to play against.
type targetFlags struct {
	driver    string
	values    map[string]string // of the drivers' own flags, by name
	token     string
	serverPID int
}

// targets adds the flags that say what to play against.
func (f *runFlags) targets(c *cobra.Command) {
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
	f.trusted(flags)
	// It fails only for a flag that is not there.
	_ = c.RegisterFlagCompletionFunc("driver", cobra.FixedCompletions(kinds.Names(), cobra.ShellCompDirectiveNoFileComp))
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
	v.values[v.name] = text
	return nil
}

// Type implements pflag.Value.
func (v driverFlag) Type() string { return "string" }

// set sets the value of a driver's own flag, and chooses the driver. The receiver's map
// is its own from then on.
func (f *targetFlags) set(kind driver.Kind, flag driver.Flag, value string) {
	f.driver = kind.Name
	values := map[string]string{flag.Name: value}
	for name, v := range f.values {
		if name != flag.Name {
			values[name] = v
		}
	}
	f.values = values
}

// ownServer reports whether the run starts a server of its own.
func (f targetFlags) ownServer() bool {
	kind, err := drivers().Find(f.driver)
	return err == nil && kind.OwnServer && f.values[kind.TargetFlag] == ""
}

// targetName is what is played against, for people.
func (f targetFlags) targetName() string {
	kind, err := drivers().Find(f.driver)
	if err != nil || f.ownServer() {
		return "earshot's own server"
	}
	return f.values[kind.TargetFlag]
}

// connect makes the driver, and starts a server of the run's own if no target is
// given. The caller closes what it returns.
func (f targetFlags) connect(ctx context.Context, cfg *loadgen.Config, trust *tls.Config, died context.CancelCauseFunc) (io.Closer, error) {
	kinds := drivers()
	kind, err := kinds.Find(f.driver)
	if err == nil {
		err = kinds.CheckFlags(kind, f.values)
	}
	if err == nil && f.serverPID != 0 && f.ownServer() {
		err = errors.New("--server-pid is a target's: the run's own server is measured anyway")
	}
	if err != nil {
		return nil, usage(err)
	}
	if f.ownServer() {
		return f.startOwn(ctx, kind, cfg, trust, died)
	}
	d, err := kind.New(driver.Options{Flags: f.values, Token: f.token, TLS: trust})
	if err != nil {
		return nil, usage(err)
	}
	cfg.Driver, cfg.Server = d, d.Capabilities().Meter
	if f.serverPID != 0 {
		cfg.Server = host.ProcessMeter{PID: f.serverPID}
	}
	return io.NopCloser(nil), nil
}

// startOwn starts a server for the run and makes the driver for it.
func (f targetFlags) startOwn(ctx context.Context, kind driver.Kind, cfg *loadgen.Config, trust *tls.Config, died context.CancelCauseFunc) (io.Closer, error) {
	server, err := startServer(ctx, died)
	if err != nil {
		return nil, fmt.Errorf("start a server for the run: %w", err)
	}
	d, err := kind.New(driver.Options{Flags: map[string]string{kind.TargetFlag: server.url}, TLS: trust})
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	cfg.Driver, cfg.Server = d, host.ProcessMeter{PID: server.pid()}
	if loadgen.Contended(host.CurrentLimits(), cfg.Scenario) {
		giveWay(ctx)
	}
	return server, nil
}
