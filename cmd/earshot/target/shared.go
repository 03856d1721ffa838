package target

import (
	"encoding/json"
	"fmt"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/meter"
)

// A shared target is how workers reach the server.
type shared struct {
	Driver string            `json:"driver"`
	Values map[string]string `json:"values"`
	Token  string            `json:"token,omitempty"`
	// ServerPID is the server's process, for workers on its machine alone.
	ServerPID int `json:"server_pid,omitempty"`
	// TURN is by which server those of the cast go who go by one.
	TURN loadgen.TURN `json:"turn,omitzero"`
}

// Share returns the target as workers reach it, for [Configure]. They are local if they are
// on this machine.
func (f Flags) Share(cfg loadgen.Config, local bool) (json.RawMessage, error) {
	t := shared{Driver: f.driver, Values: map[string]string{}, Token: f.token, TURN: cfg.TURN}
	for name, value := range f.values {
		t.Values[name] = value
	}
	kind, err := drivers().Find(f.driver)
	if err == nil && f.OwnServer() {
		t.Values[kind.TargetFlag] = cfg.Driver.Target()
	}
	if p, here := cfg.Server.(meter.Process); here && local {
		t.ServerPID = p.PID
	}
	return json.Marshal(t)
}

// Configure puts the driver for a target that the coordinator names into the configuration, and
// the meter of its server. ca is a file for [cli.LoadRoots].
func Configure(target json.RawMessage, cfg *loadgen.Config, ca string) error {
	var t shared
	if err := json.Unmarshal(target, &t); err != nil {
		return fmt.Errorf("read the coordinator's target: %w", err)
	}
	roots, err := cli.LoadRoots(ca)
	if err != nil {
		return err
	}
	kind, err := drivers().Find(t.Driver)
	if err != nil {
		return err
	}
	d, err := kind.New(driver.Options{Flags: t.Values, Token: t.Token, TLS: roots})
	if err != nil {
		return err
	}
	cfg.Driver, cfg.Server, cfg.TURN = d, d.Capabilities().Meter, t.TURN
	cfg.TURN.TLS = roots
	if t.ServerPID != 0 {
		cfg.Server = meter.Process{PID: t.ServerPID}
	}
	return nil
}
