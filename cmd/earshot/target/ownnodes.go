package target

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/serverprocess"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/host"
	"github.com/earshot-audio/earshot/loadgen/meter"
	"github.com/earshot-audio/earshot/loadgen/scenario"
	"github.com/earshot-audio/earshot/store/stateserver"
)

// ownNodes are the servers of a cluster that a run has started, and their NATS server, each in
// a process of its own.
type ownNodes struct {
	self, token string
	dir         string // of what they keep
	state       *serverprocess.Process
	died        context.CancelCauseFunc
	meter       meter.Processes

	mu    sync.Mutex // of what restarts change
	nodes []*serverprocess.Process
}

// CheckNodes refuses numbers of nodes that do not go with the target or the scenario.
func (f Flags) CheckNodes(s *scenario.Scenario, workers int) error {
	switch {
	case f.nodes == 0 && (s.Nodes() == 0 || !f.OwnServer()):
		return nil
	case f.nodes < 0 || f.nodes > scenario.MaxNodes:
		return fmt.Errorf("--nodes must be from 1 to %d", scenario.MaxNodes)
	case !f.OwnServer():
		return errors.New("--nodes starts the servers of the run itself: leave out the target")
	case f.nodes != 0 && f.nodes < s.Nodes():
		return fmt.Errorf("--nodes %d: the scenario names node %d", f.nodes, s.Nodes())
	case workers > 0:
		return errors.New("--workers can't start the nodes that the run needs: start them yourself, and give a --target")
	}
	if targetNode(s, f.nodes) == 0 {
		return errors.New("the timeline kills every node: leave one, which the run asks for everything else")
	}
	return nil
}

// targetNode returns the number of a node that the scenario does not kill, of so many or as many
// as it names; 0: it kills all.
func targetNode(s *scenario.Scenario, nodes int) int {
	killed := map[int]bool{}
	for _, e := range s.Timeline {
		if e.Do == scenario.KillNode {
			killed[e.Node] = true
		}
	}
	for n := 1; n <= max(s.Nodes(), nodes); n++ {
		if !killed[n] {
			return n
		}
	}
	return 0
}

// startNodes starts a cluster on free ports of the loopback, and makes the driver for it.
func (f Flags) startNodes(ctx context.Context, kind driver.Kind, cfg *loadgen.Config, roots *tls.Config, died context.CancelCauseFunc) (_ io.Closer, err error) {
	if err := f.CheckNodes(cfg.Scenario, 0); err != nil {
		return nil, cli.Usage(err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's own file: %w", err)
	}
	c := &ownNodes{self: self, token: rand.Text(), died: died}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.dir, err = os.MkdirTemp("", "earshot-nodes-"); err != nil {
		return nil, fmt.Errorf("make a directory for the nodes of the run: %w", err)
	}
	c.state, err = serverprocess.Start(ctx, exec.Command(self, stateServerName, "--dir", filepath.Join(c.dir, "nats"), "--stop-with-stdin"), died)
	if err != nil {
		return nil, fmt.Errorf("start a NATS server for the run: %w", err)
	}
	for i := range max(f.nodes, cfg.Scenario.Nodes()) {
		node, err := c.start(ctx, i, "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, node)
	}
	for _, node := range c.nodes {
		c.meter.Add(node.PID())
	}
	stays := c.nodes[targetNode(cfg.Scenario, f.nodes)-1]
	d, err := kind.New(driver.Options{Flags: map[string]string{kind.TargetFlag: stays.URL}, Token: c.token, TLS: roots})
	if err != nil {
		return nil, err
	}
	cfg.Driver, cfg.Server, cfg.Nodes = d, &c.meter, c
	if loadgen.Contended(host.CurrentLimits(), cfg.Scenario) {
		serverprocess.LowerPriority(ctx)
	}
	return c, nil
}

// start starts a node by its index, on an address for HTTP.
func (c *ownNodes) start(ctx context.Context, i int, address string) (*serverprocess.Process, error) {
	cmd := exec.Command(c.self, "serve", "--cluster", "--nats", c.state.URL, "--data", filepath.Join(c.dir, "node"+strconv.Itoa(i+1)),
		"--rate-limit-exempt", "127.0.0.0/8", "--http", address, "--media", "127.0.0.1:0", "--stop-with-stdin")
	cmd.Env = append(os.Environ(), cli.OperatorTokenEnv+"="+c.token)
	node, err := serverprocess.Start(ctx, cmd, c.died)
	if err != nil {
		return nil, fmt.Errorf("start node %d of the run: %w", i+1, err)
	}
	return node, nil
}

// find returns a node by its number.
func (c *ownNodes) find(node int) (*serverprocess.Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if node < 1 || node > len(c.nodes) {
		return nil, fmt.Errorf("there is no node %d: the run has %d", node, len(c.nodes))
	}
	return c.nodes[node-1], nil
}

// Kill implements [loadgen.Nodes].
func (c *ownNodes) Kill(node int) error {
	p, err := c.find(node)
	if err != nil {
		return err
	}
	return p.Kill()
}

// Restart implements [loadgen.Nodes].
func (c *ownNodes) Restart(ctx context.Context, node int) error {
	p, err := c.find(node)
	if err != nil {
		return err
	}
	if err := p.Close(); err != nil { // as SIGTERM would
		return fmt.Errorf("stop node %d of the run: %w", node, err)
	}
	next, err := c.start(ctx, node-1, strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[node-1] = next
	c.meter.Add(next.PID())
	return nil
}

// Close stops what there is, and removes what they kept.
func (c *ownNodes) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := make([]error, len(c.nodes))
	var all sync.WaitGroup
	for i, node := range c.nodes {
		all.Go(func() { errs[i] = node.Close() })
	}
	all.Wait()
	if c.state != nil {
		errs = append(errs, c.state.Close())
	}
	if c.dir != "" {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}

// stateServerName is the command that serves as the NATS server of a run's own nodes.
const stateServerName = "serve-state"

// StateServerCommand is a command that is started by runs alone.
func StateServerCommand() *cobra.Command {
	var dir string
	var stopWithStdin bool
	c := &cobra.Command{
		Use: stateServerName, Short: "Serve as the NATS server of a run's own nodes", Hidden: true, Args: cli.Arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithCancel(c.Context())
			defer cancel()
			if stopWithStdin {
				cli.CancelAtEOF(c.InOrStdin(), cancel)
			}
			s, err := stateserver.Serve("127.0.0.1:0", dir)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "earshot serves the state of a cluster on", s.URL())
			<-ctx.Done()
			return s.Close()
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "`directory` of what it keeps")
	c.Flags().BoolVar(&stopWithStdin, "stop-with-stdin", false, "stop when standard input ends")
	return c
}
