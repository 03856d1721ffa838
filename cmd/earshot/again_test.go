package main

import (
	"context"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
)

func TestCommandThatPlaysItAgain(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"the scenario alone", []string{"smoke"}, "earshot run smoke"},
		{"what changes the run", []string{"my talk.yaml", "--listeners", "7", "--hold", "90s", "--threshold", "latency: p(99) < 20ms", "--threshold", "mos: min > 3"},
			"earshot run 'my talk.yaml' --hold 1m30s --listeners 7 --threshold 'latency: p(99) < 20ms' --threshold 'mos: min > 3'"},
		{"not where reports go", []string{"smoke", "--html", "r.html", "--summary", "-", "-q", "--dashboard", "127.0.0.1:0", "--color", "never"}, "earshot run smoke"},
		{"no secrets", []string{"smoke", "--target", "https://u:p@example.org/?token=abc", "--token", "abc"}, "earshot run smoke --target 'https://…@example.org/?token=…' --token …"},
		{"switches", []string{"smoke", "--workers", "2", "--local"}, "earshot run smoke --local --workers 2"},
		{"a quote", []string{"it's.yaml"}, `earshot run 'it'\''s.yaml'`},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := &cobra.Command{Use: "earshot"}
			play := runCommand()
			var got string
			play.RunE = func(c *cobra.Command, args []string) error {
				got = again(c, args)
				return nil
			}
			root.AddCommand(play)
			root.SetArgs(append([]string{"run"}, c.args...))
			require.NoError(t, root.Execute())
			assert.Equal(t, c.want, got)
		})
	}
}

// urlFlags are what the commands are called with in the test below, by the flag that takes a
// URL: SECRET stands for the URL.
var urlFlags = map[string][][]string{
	"run target":       {{"run", "smoke", "--target", "SECRET"}, {"capacity", "smoke", "--vary", "listeners", "--from", "1", "--to", "2", "--until", "joined: rate == 1", "--target", "SECRET"}},
	"run whip-url":     {{"run", "smoke", "--driver", "whep", "--whip-url", "SECRET/{room}/whip", "--whep-url", "http://127.0.0.1:1/{room}/whep"}, {"run", "smoke", "--whip-url", "SECRET"}},
	"run whep-url":     {{"run", "smoke", "--driver", "whep", "--whip-url", "http://127.0.0.1:1/{room}/whip", "--whep-url", "SECRET"}, {"versus", "smoke", "one whip=SECRET whep=SECRET", "two whip=SECRET whep=SECRET"}},
	"run livekit-url":  {{"run", "smoke", "--driver", "livekit", "--livekit-url", "SECRET", "--api-key", "k3y", "--api-secret", "s3cr3tphrase"}},
	"run janus-url":    {{"run", "smoke", "--driver", "janus", "--janus-url", "SECRET", "--janus-api-secret", "s3cr3tphrase"}},
	"run turn-url":     {{"run", "smoke", "--turn-url", "SECRET", "--turn-user", "ada", "--turn-password", "s3cr3tphrase"}, {"versus", "smoke", "--target", "one", "--target", "other", "--turn-url", "SECRET", "--turn-user", "ada", "--turn-password", "s3cr3tphrase"}},
	"run nats":         {{"run", "smoke", "--workers", "2", "--nats", "SECRET", "--wait", "1s"}, {"run", "smoke", "--workers", "2", "--nats", "http://u5er:s3cr3tphrase@127.0.0.1:1"}},
	"run remote-write": {{"run", "smoke", "--remote-write", "SECRET"}},
	"run otlp":         {{"run", "smoke", "--otlp", "SECRET"}},
	"worker join":      {{"worker", "--join", "SECRET", "--wait", "1s"}, {"worker", "--join", "nats://s3cr3tphrase@127.0.0.1:1", "--wait", "1s"}},
	"room list target": {{"room", "list", "--token", "s3cr3tphrase0123", "--target", "SECRET"}, {"invite", "list", "--token", "s3cr3tphrase0123", "--target", "SECRET"},
		{"node", "list", "--token", "s3cr3tphrase0123", "--target", "SECRET"}, {"audit", "--token", "s3cr3tphrase0123", "--target", "SECRET"}},
	"serve nats":       {{"serve", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--nats", "nats://u5er:s3cr3tphrase@127.0.0.1:1", "--data", "DIR"}, {"serve", "--nats", "SECRET", "--data", "DIR"}},
	"serve public-url": {{"serve", "--open", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--public-url", "SECRET"}},
	"serve node-url":   {{"serve", "--cluster", "--nats", "nats://127.0.0.1:1", "--http", "127.0.0.1:0", "--media", "127.0.0.1:0", "--node-url", "SECRET", "--data", "DIR"}},
}

// Every flag that takes a URL is tried, with URLs that nobody answers and that can't be.
func TestURLsAreShownWithoutSecrets(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for name := range urlFlags {
		words := strings.Fields(name)
		known[words[len(words)-1]] = true
	}
	for _, c := range allCommands(t) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if strings.Contains(f.Usage, "`URL`") {
				assert.True(t, known[f.Name], "%s --%s takes a URL, and is not tried here", c.CommandPath(), f.Name)
			}
		})
	}
	secret := regexp.MustCompile(`u5er|s3cr3tphrase|A9f3kQz81LmN0pRsTu|t0kenvalue`)
	for name, calls := range urlFlags {
		for _, url := range []string{
			"http://u5er:s3cr3tphrase@127.0.0.1:1/A9f3kQz81LmN0pRsTu?access=t0kenvalue#t0kenvalue",
			"ftp://u5er:s3cr3tphrase@127.0.0.1:1?key=t0kenvalue",
			"http://u5er:s3cr3tphrase@[::1/?access=t0kenvalue",
		} {
			for _, call := range calls {
				args := slices.Clone(call)
				for i, a := range args {
					args[i] = strings.ReplaceAll(strings.ReplaceAll(a, "SECRET", url), "DIR", t.TempDir())
				}
				stdout, stderr, code := command(t, args...)
				assert.NotEqual(t, cli.ExitPass, code, "%s: %v", name, args)
				assert.NotRegexp(t, secret, stdout+stderr, "%s: %v", name, args)
			}
		}
	}
}

// allCommands are all commands of the program.
func allCommands(t *testing.T) (all []*cobra.Command) {
	t.Helper()
	var add func(c *cobra.Command)
	add = func(c *cobra.Command) {
		all = append(all, c)
		for _, below := range c.Commands() {
			add(below)
		}
	}
	root := newRoot(io.Discard, io.Discard)
	root.SetContext(context.Background())
	add(root)
	return all
}
