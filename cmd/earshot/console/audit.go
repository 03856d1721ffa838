package console

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/operator"
)

func auditRows(entries []operator.AuditEntry) [][]string {
	rows := [][]string{{"AT", "WHO", "DID", "TO", "DETAIL"}}
	for _, e := range entries {
		rows = append(rows, []string{formatTime(e.At), e.Actor, e.Action, e.Target, e.Detail})
	}
	return rows
}

func auditCommand() *cobra.Command {
	var f operatorFlags
	var limit int
	c := &cobra.Command{
		Use:   "audit [ROOM]",
		Short: "Show who did what on a running server, or in a room",
		Long: `Show who did what on a running server, or in a room, the latest last. The trail
is kept for 90 days, also after the room has ended.`,
		Example: `  earshot audit
  earshot audit q3zk2v7c5x4w6y5u4t3s2r1qpo --limit 1000 --json`,
		Args: cli.Arguments(cobra.MaximumNArgs(1)),
		RunE: f.operate(func(ctx context.Context, s *operatorSession, args []string) error {
			path := "/api/audit"
			if len(args) == 1 {
				path = operator.RoomPath(args[0], "audit")
			}
			var trail struct {
				Entries []operator.AuditEntry `json:"entries"`
			}
			return s.show(ctx, path+"?limit="+strconv.Itoa(limit), &trail, func() [][]string { return auditRows(trail.Entries) })
		}),
	}
	f.bind(c)
	c.Flags().IntVar(&limit, "limit", 100, "show the latest `N`")
	return c
}
