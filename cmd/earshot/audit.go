package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// entryShown is one line of the audit trail.
type entryShown struct {
	At     time.Time `json:"at"`
	Who    string    `json:"who"`
	Did    string    `json:"did"`
	Room   string    `json:"room,omitempty"`
	Whom   string    `json:"whom,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

func entryRows(entries []entryShown) [][]string {
	rows := [][]string{{"AT", "WHO", "DID", "TO", "DETAIL"}}
	for _, e := range entries {
		rows = append(rows, []string{when(e.At), e.Who, e.Did, e.Whom, e.Detail})
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
is kept for 90 days, and outlives the room.`,
		Example: `  earshot audit
  earshot audit q3zk2v7c5x4w6y5u4t3s2r1qpo --limit 1000 --json`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: f.operate(func(ctx context.Context, a *api, args []string) error {
			path := "/api/audit"
			if len(args) == 1 {
				path = roomPath(args[0], "audit")
			}
			var trail struct {
				Entries []entryShown `json:"entries"`
			}
			if err := a.call(ctx, http.MethodGet, path+"?limit="+strconv.Itoa(limit), nil, &trail); err != nil {
				return err
			}
			if a.json {
				return a.raw(trail)
			}
			return table(a.out, entryRows(trail.Entries))
		}),
	}
	f.bind(c)
	c.Flags().IntVar(&limit, "limit", 100, "show the latest `N`")
	return c
}
