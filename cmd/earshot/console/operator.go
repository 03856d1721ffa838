package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/operator"
	"github.com/earshot-audio/earshot/internal/secrets"
	"github.com/earshot-audio/earshot/internal/table"
)

// Commands are the operator's commands.
func Commands() []*cobra.Command {
	return []*cobra.Command{roomCommand(), nodeCommand(), inviteCommand(), auditCommand()}
}

// operatorFlags say which server an operator's command is for.
type operatorFlags struct {
	target, token, data, ca string
	json                    bool
}

// bind adds the flags to a command and to its subcommands.
func (f *operatorFlags) bind(c *cobra.Command) {
	flags := c.PersistentFlags()
	flags.StringVar(&f.target, "target", "http://127.0.0.1:7080", "`URL` of the server")
	flags.StringVar(&f.token, "token", os.Getenv(cli.OperatorTokenEnv), "the operator's `token` (or $EARSHOT_OPERATOR_TOKEN; default: the one kept under --data)")
	flags.Lookup("token").DefValue = ""
	flags.StringVar(&f.data, "data", "./earshot-data", "the server's data `directory`, for its operator's token")
	flags.StringVar(&f.ca, "ca", "", "`file` of certificate authorities (PEM) to trust beside the system's")
	flags.BoolVar(&f.json, "json", false, "print the server's response as JSON, for scripts")
}

// An operatorSession is a client and where its command prints.
type operatorSession struct {
	*operator.Client
	out  io.Writer
	json bool
	// flags are what the next command has to be given to reach the same server; each begins
	// with a space. It has … for the token.
	flags string
}

func (f *operatorFlags) session(c *cobra.Command) (*operatorSession, error) {
	var err error
	token := f.token
	if token == "" {
		if token, err = secrets.Load(filepath.Join(f.data, cli.OperatorTokenFile)); err != nil {
			return nil, cli.Usage(fmt.Errorf("no operator's token: give --token, or --data with the server's data directory: %w", err))
		}
	}
	cli.Warn(c.ErrOrStderr(), cli.PlainToken(token, []string{f.target}))
	roots, err := cli.LoadRoots(f.ca)
	if err != nil {
		return nil, cli.Usage(err)
	}
	client, err := operator.New(f.target, token, roots)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("--target %w", err))
	}
	return &operatorSession{Client: client, out: c.OutOrStdout(), json: f.json, flags: serverFlags(c)}, nil
}

// serverFlags are the flags that a command was given to reach its server, as a shell takes them.
func serverFlags(c *cobra.Command) string {
	var words strings.Builder
	for _, name := range []string{"target", "token", "data", "ca"} {
		if f := c.Flags().Lookup(name); f.Changed {
			words.WriteString(" " + strings.Join(cli.FlagWords(f), " "))
		}
	}
	return words.String()
}

// operate makes a cobra RunE of an operator's command.
func (f *operatorFlags) operate(do func(ctx context.Context, s *operatorSession, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		s, err := f.session(c)
		if err != nil {
			return err
		}
		return do(c.Context(), s, args)
	}
}

// printJSON prints a value as JSON.
func (s *operatorSession) printJSON(value any) error {
	e := json.NewEncoder(s.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

// show asks for something and prints it, as JSON or as a table.
func (s *operatorSession) show(ctx context.Context, path string, into any, rows func() [][]string) error {
	if err := s.Call(ctx, http.MethodGet, path, nil, into); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(into)
	}
	return s.printTable(rows())
}

// printTable prints rows, the first of which is the heading. Names that other
// people chose can't control the terminal.
func (s *operatorSession) printTable(rows [][]string) error {
	for _, row := range rows {
		for i, cell := range row {
			row[i] = table.Printable(cell)
		}
	}
	return table.Write(s.out, table.Options{}, rows)
}

// printDone prints what a request without a response body has done.
func (s *operatorSession) printDone(err error, did, what string) error {
	if err != nil {
		return err
	}
	if s.json {
		return s.printJSON(map[string]string{did: what})
	}
	_, err = fmt.Fprintf(s.out, "%s: %s\n", did, what)
	return err
}

// formatTime prints a time for people, in UTC.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
