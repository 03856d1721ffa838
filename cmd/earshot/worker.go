package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/cmd/earshot/target"
	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/workers"
)

const (
	// workerTokenEnv has the coordinator's token where a URL or a flag has none,
	// workerJoinEnv the URL in place of --join, and workerSecretEnv the secret of the
	// workers that a coordinator starts itself. Everybody on a machine can read the
	// arguments of its processes, and only their owner their environment.
	workerTokenEnv  = "EARSHOT_WORKER_TOKEN"
	workerJoinEnv   = "EARSHOT_WORKER_JOIN"
	workerSecretEnv = "EARSHOT_WORKER_SECRET"
)

// workerFlags are the flags of earshot worker.
type workerFlags struct {
	join, ca, name string
	wait           time.Duration
	stopWithStdin  bool
}

func workerCommand() *cobra.Command {
	var f workerFlags
	c := &cobra.Command{
		Use:   "worker",
		Short: "Play a part of a run that earshot run --workers coordinates",
		Long: `Play a part of a run on this machine. The coordinator, earshot run --workers, says
what is played and judges it; this command says nothing of the result.

It has to be the same earshot as the coordinator's, and the scenario's audio files
have to be here under the same path. The coordinator's token may be in the URL or in
` + workerTokenEnv + `, and the whole URL in ` + workerJoinEnv + `: what stands in
arguments can be read by all users of the machine. Exit codes: 0 its part was played, 1 the coordinator was lost or
the part could not be played, 2 bad usage, 130 interrupted.`,
		Example: "  earshot worker --join nats://TOKEN@10.0.0.5:7090",
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return f.run(c.Context(), c.InOrStdin(), c.ErrOrStderr())
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.join, "join", "", "`URL` of the coordinator, as it prints it: nats://TOKEN@HOST:PORT, or tls:// with a certificate")
	flags.DurationVar(&f.wait, "wait", defaultWait, "look for the coordinator for this `time`")
	flags.StringVar(&f.name, "name", "", "what reports call this worker (default: the host's `name`)")
	cli.CAFlag(flags, &f.ca)
	flags.BoolVar(&f.stopWithStdin, "stop-with-stdin", false, "stop when standard input ends, as a coordinator needs it")
	_ = flags.MarkHidden("stop-with-stdin") // it is there
	return c
}

// joinURL is the coordinator's URL with its token.
func (f workerFlags) joinURL() (string, error) {
	join := cmp.Or(f.join, os.Getenv(workerJoinEnv))
	if join == "" {
		return "", errors.New("earshot worker needs --join, with the URL that the coordinator prints")
	}
	u, err := url.Parse(join)
	if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
		return "", errors.New("--join is not like nats://TOKEN@HOST:PORT")
	}
	if token := os.Getenv(workerTokenEnv); u.User == nil && token != "" {
		u.User = url.User(token)
	}
	return u.String(), nil
}

func (f workerFlags) run(ctx context.Context, stdin io.Reader, stderr io.Writer) error {
	defer relaxGC()()
	join, err := f.joinURL()
	if err != nil {
		return cli.Usage(err)
	}
	roots, err := cli.LoadRoots(f.ca)
	if err != nil {
		return cli.Usage(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if f.stopWithStdin {
		go func() { // ends with the process
			_, _ = io.Copy(io.Discard, stdin)
			cancel()
		}()
	}
	if f.name == "" {
		f.name, _ = os.Hostname()
	}
	e := workers.Enrolment{URL: join, TLS: roots, Wait: f.wait, Name: f.name, Secret: os.Getenv(workerSecretEnv)}
	for {
		m, err := workers.Join(ctx, e)
		if err != nil {
			return stopped(ctx, err)
		}
		if m.Plain() {
			cli.Warn(stderr, plainWorkers("start the coordinator with --worker-cert and --worker-key, and join with tls://"))
		}
		err = stopped(ctx, f.play(ctx, m, stderr))
		m.Close()
		if err != nil || !m.Again() {
			return err
		}
		e.Played = m.Run()
	}
}

// play plays the part of one run.
func (f workerFlags) play(ctx context.Context, m *workers.Membership, stderr io.Writer) error {
	fmt.Fprintf(stderr, "earshot: joined a run of %d workers: %s\n", m.Plan.Workers, m.Plan.Scenario.Name)
	cfg := loadgen.Config{Scenario: m.Plan.Scenario}
	if err := target.Configure(m.Plan.Target, &cfg, f.ca); err != nil {
		m.Fail(err)
		return err
	}
	return m.Play(ctx, cfg)
}

// stopped marks an error of a command that was interrupted.
func stopped(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return cli.Interrupted(err)
	}
	return err
}
