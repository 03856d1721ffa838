package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/cmd/earshot/target"
	"github.com/earshot-audio/earshot/internal/printable"
	"github.com/earshot-audio/earshot/internal/serverprocess"
	"github.com/earshot-audio/earshot/internal/urltext"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/coordinator"
	"github.com/earshot-audio/earshot/loadgen/workers"
)

const (
	defaultWait = 2 * time.Minute
	// defaultCoordinate is where workers of this machine join.
	defaultCoordinate = "127.0.0.1:0"
)

// workersFlags say which processes play a run together. Without Workers it is this one.
type workersFlags struct {
	workers          int
	coordinate, nats string
	certificate, key string
	wait             time.Duration
	local            bool
	token            string // what workers have to know
}

func (f *workersFlags) bind(flags *pflag.FlagSet) {
	flags.IntVar(&f.workers, "workers", 0, "have `N` workers play the scenario together (see earshot worker)")
	flags.StringVar(&f.coordinate, "coordinate", "", "let workers join on this `address` (default "+defaultCoordinate+")")
	flags.StringVar(&f.nats, "nats", "", "let workers join over the NATS server at this `URL` instead")
	flags.StringVar(&f.certificate, "worker-cert", "", "certificate `file` for --coordinate (PEM): workers join with tls://")
	flags.StringVar(&f.key, "worker-key", "", "key `file` of --worker-cert")
	flags.DurationVar(&f.wait, "wait", defaultWait, "wait for the workers for this `time`")
	flags.BoolVar(&f.local, "local", false, "start the workers on this machine, each a process")
}

// check returns an error for flags that do not go together.
func (f *workersFlags) check(against target.Flags, repeat int, changed func(string) bool) error {
	if !changed("workers") {
		for _, name := range []string{"coordinate", "nats", "worker-cert", "worker-key", "wait", "local"} {
			if changed(name) {
				return fmt.Errorf("--%s goes with --workers", name)
			}
		}
		return nil
	}
	if err := loadgen.CheckWorkers(f.workers); err != nil {
		return fmt.Errorf("--workers: %w", err)
	}
	switch {
	case f.coordinate != "" && f.nats != "":
		return errors.New("--coordinate and --nats are two ways to the workers: give one")
	case !f.local && f.coordinate == "" && f.nats == "":
		return errors.New("--workers needs --coordinate with an address for the workers to join on, --nats, or --local")
	case !f.local && against.OwnServer():
		return errors.New("--workers on other machines need a --target that they reach; with --local the run starts a server")
	case (f.certificate == "") != (f.key == ""):
		return errors.New("--worker-cert and --worker-key go together")
	case f.certificate != "" && f.nats != "":
		return errors.New("--worker-cert goes with --coordinate: the server of --nats has its own certificate")
	case f.certificate != "" && f.local:
		return errors.New("--worker-cert is for workers on other machines: leave it out with --local")
	}
	if _, port, err := net.SplitHostPort(f.coordinate); err == nil && port == "0" && repeat > 1 && !f.local {
		return errors.New("--coordinate needs a port with --repeat: workers join there for each run")
	}
	if f.coordinate == "" && f.nats == "" {
		f.coordinate = defaultCoordinate
	}
	f.token = cmp.Or(os.Getenv(workerTokenEnv), rand.Text())
	return nil
}

// tls is the certificate of the coordinator; nil without.
func (f workersFlags) tls() (*tls.Config, error) {
	if f.certificate == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return nil, fmt.Errorf("--worker-cert: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// play has workers play a scenario together, and perhaps again afterwards.
func (f workersFlags) play(ctx context.Context, cfg loadgen.Config, against target.Flags, ca string, again bool, stderr io.Writer) (_ *loadgen.Result, err error) {
	certificate, err := f.tls()
	if err != nil {
		return nil, cli.Usage(err)
	}
	reach, err := against.Share(cfg, f.local)
	if err != nil {
		return nil, err
	}
	c, err := workers.NewCoordinator(workers.Config{
		Listen: f.coordinate, URL: f.nats, Token: f.token, TLS: certificate,
		Plan: workers.Plan{Workers: f.workers, Scenario: cfg.Scenario, Target: reach, Again: again && !f.local},
		Seen: func(text string) { fmt.Fprintln(stderr, "earshot:", printable.Lines(urltext.Scrub(text))) },
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if c.Plain() {
		cli.Warn(stderr, plainWorkers("add --worker-cert and --worker-key, or give --nats a server with TLS"))
	}
	if f.local {
		crew, startErr := startWorkers(c, f.workers, ca)
		defer crew.close()
		if startErr != nil {
			return nil, startErr
		}
	} else {
		fmt.Fprintf(stderr, "earshot: waiting for %d workers; start each with: earshot worker --join %s\n", f.workers, f.shownJoin(c.JoinURL()))
	}
	fail := func(err error) (*loadgen.Result, error) {
		c.Cancel(err)
		return nil, err
	}
	if err := c.Wait(ctx, f.wait); err != nil {
		return fail(err)
	}
	stage, err := coordinator.OpenStage(ctx, cfg)
	if err != nil {
		return fail(err)
	}
	clock, err := c.Start(stage.Tickets)
	if err != nil {
		return fail(errors.Join(err, stage.Close()))
	}
	result, err := coordinator.Run(ctx, cfg, clock, c)
	if err != nil {
		return nil, errors.Join(err, stage.Close())
	}
	stage.End(result)
	return result, nil
}

// shownJoin is a URL to join with as it is printed: a secret that was given by the
// environment or with --nats is not shown, as it is known.
func (f workersFlags) shownJoin(join string) string {
	u, err := url.Parse(join)
	if err != nil || u.User == nil {
		return join
	}
	how := ""
	switch {
	case f.nats != "":
		how = "with what stands before the @ in --nats"
	case os.Getenv(workerTokenEnv) != "":
		how = "with " + workerTokenEnv + " as here"
	default:
		return join // the only place where it can be had
	}
	u.User = nil
	return u.String() + ", " + how
}

// A crew is the workers that a coordinator has started itself.
type crew struct {
	all  sync.WaitGroup
	stop []io.Closer
	kill []func()
}

// localWorker is the command of worker i of this machine. Its secrets are in the
// environment.
func localWorker(self, join, secret string, i int, ca string) *exec.Cmd {
	args := []string{"worker", "--name", fmt.Sprintf("local %d", i+1), "--stop-with-stdin"}
	if ca != "" {
		args = append(args, "--ca", ca)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), workerJoinEnv+"="+join, workerSecretEnv+"="+secret)
	return cmd
}

// startWorkers starts workers on this machine.
func startWorkers(c *workers.Coordinator, n int, ca string) (*crew, error) {
	crew := &crew{}
	self, err := os.Executable()
	if err != nil {
		return crew, fmt.Errorf("find this program's own file: %w", err)
	}
	for i := range n {
		cmd := localWorker(self, c.JoinURL(), c.Secret(), i, ca)
		log := &lastWords{}
		cmd.Stderr = log
		serverprocess.Detach(cmd)
		stdin, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return crew, fmt.Errorf("start worker %d: %w", i+1, err)
		}
		crew.stop = append(crew.stop, stdin)
		crew.kill = append(crew.kill, func() { _ = cmd.Process.Kill() })
		crew.all.Go(func() {
			if err := cmd.Wait(); err != nil {
				c.Lose(cmd.Process.Pid, fmt.Errorf("its process ended (%w)%s", err, log))
			}
		})
	}
	return crew, nil
}

// workersStop is for how long workers may see their people out.
const workersStop = 15 * time.Second

// close waits until the workers have ended, which they do when their part is played, and
// kills those that do not.
func (c *crew) close() {
	ended := make(chan struct{})
	go func() {
		c.all.Wait()
		close(ended)
	}()
	patience := time.NewTimer(workersStop)
	defer patience.Stop()
	select {
	case <-ended:
		return
	case <-time.After(2 * time.Second):
	}
	for _, s := range c.stop {
		_ = s.Close() // tells the worker to stop; fails if it has ended
	}
	select {
	case <-ended:
	case <-patience.C:
		for _, kill := range c.kill {
			kill()
		}
		<-ended
	}
}

// lastWords keeps the end of what a worker logs. It is safe for concurrent use.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

const maxLastWords = 2 << 10

// Write implements io.Writer.
func (l *lastWords) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	l.text = l.text[max(0, len(l.text)-maxLastWords):]
	return len(b), nil
}

// String is it, to follow other words.
func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.text) == 0 {
		return ""
	}
	return "; it said: " + string(bytes.TrimSpace(l.text))
}

// plainWorkers says that what coordinator and workers tell each other is in the open, of
// the flag that gives the way to do better.
func plainWorkers(remedy string) []string {
	return []string{"coordinator and workers talk unencrypted: whoever is on the way reads the workers' token and the target's, and can change what is measured; " + remedy}
}
