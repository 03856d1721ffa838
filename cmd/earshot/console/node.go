package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/operator"
	"github.com/earshot-audio/earshot/internal/urltext"
)

func nodeCommand() *cobra.Command {
	var f operatorFlags
	c := &cobra.Command{
		Use:   "node",
		Short: "List and drain the servers of a cluster",
		Long: `List and drain the servers of a cluster (earshot serve --cluster), as its operator.
Any of them can be asked.`,
		Example: `  earshot node list
  earshot node drain q3zk2v7c5x`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f.bind(c)
	c.AddCommand(nodeList(&f), nodeDrain(&f, "drain", http.MethodPost), nodeDrain(&f, "undrain", http.MethodDelete))
	return c
}

func nodeList(f *operatorFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the servers of a cluster, and how full they are",
		Example: "  earshot node list --json",
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: f.operate(func(ctx context.Context, s *operatorSession, _ []string) error {
			var list struct {
				Nodes []operator.NodeInfo `json:"nodes"`
			}
			return s.show(ctx, "/api/nodes", &list, func() [][]string {
				rows := [][]string{{"NODE", "URL", "ZONE", "STATE", "ROOMS", "PEOPLE", "VERSION", "STARTED"}}
				for _, n := range list.Nodes {
					state := "serving"
					if n.Draining {
						state = "draining"
					}
					rows = append(rows, []string{n.ID, urltext.Safe(n.URL), n.Zone, state, strconv.Itoa(n.Rooms), fmt.Sprintf("%d of %d", n.Taken, n.Seats), n.Version, formatTime(n.Started)})
				}
				return rows
			})
		}),
	}
}

// nodeDrain is the command that begins or ends a node's draining.
func nodeDrain(f *operatorFlags, name, method string) *cobra.Command {
	short, did := "Give a server no more rooms; those that it has go on until it stops", "draining"
	if method == http.MethodDelete {
		short, did = "Give a server rooms again", "serving"
	}
	return &cobra.Command{
		Use:     name + " NODE",
		Short:   short,
		Example: "  earshot node " + name + " q3zk2v7c5x",
		Args:    cli.Arguments(cobra.ExactArgs(1)),
		RunE: f.operate(func(ctx context.Context, s *operatorSession, args []string) error {
			return s.printDone(s.Call(ctx, method, "/api/nodes/"+url.PathEscape(args[0])+"/drain", nil, nil), did, args[0])
		}),
	}
}
