package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/operator"
)

func inviteRows(invites []operator.InviteInfo) [][]string {
	rows := [][]string{{"INVITE", "TO", "AS", "FOR", "BY", "USED", "STATE", "EXPIRES"}}
	for _, i := range invites {
		to, as := i.Room, i.Role
		if i.Room == "" {
			to, as = "the club", "member"
		}
		rows = append(rows, []string{i.Invite, to, as, i.Name, inviter(i), fmt.Sprintf("%d of %d", i.Used, i.Uses), i.State, formatTime(i.ExpiresAt)})
	}
	return rows
}

// inviter says who made an invite. Names are in quotes: a member may be called "operator".
func inviter(i operator.InviteInfo) string {
	switch {
	case i.ByOperator:
		return "operator"
	case i.Inviter != "":
		return strconv.Quote(i.Inviter)
	}
	return ""
}

func inviteCommand() *cobra.Command {
	var f operatorFlags
	c := &cobra.Command{
		Use:   "invite",
		Short: "Invite people to a running server",
		Long: `Invite people to a running server, as its operator: to a room, as listener,
speaker or host, or to the club, as a member with an account. The code of an
invite is shown once; the server keeps only a hash of it.`,
		Example: `  earshot invite create --for Ada
  earshot invite create q3zk2v7c5x4w6y5u4t3s2r1qpo --role speaker --for Bo
  earshot invite list`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f.bind(c)
	c.AddCommand(inviteCreate(&f), inviteList(&f), inviteRevoke(&f))
	return c
}

func inviteCreate(f *operatorFlags) *cobra.Command {
	var role, name string
	var uses int
	var ttl time.Duration
	c := &cobra.Command{
		Use:   "create [ROOM]",
		Short: "Make an invite to a room, or without one to the club",
		Example: `  earshot invite create --for Ada
  earshot invite create q3zk2v7c5x4w6y5u4t3s2r1qpo --uses 500 --ttl 2h`,
		Args: cli.Arguments(cobra.MaximumNArgs(1)),
	}
	c.RunE = f.operate(func(ctx context.Context, s *operatorSession, args []string) error {
		body := map[string]any{"uses": uses, "name": name}
		if c.Flags().Changed("ttl") {
			if ttl < time.Second || ttl%time.Second != 0 {
				return cli.Usage(fmt.Errorf("--ttl %v is not a number of whole seconds", ttl))
			}
			body["ttl_s"] = int64(ttl / time.Second)
		}
		path := "/api/invites"
		if len(args) == 1 {
			path, body["role"] = operator.RoomPath(args[0], "invites"), role
		} else if c.Flags().Changed("role") {
			return cli.Usage(errors.New("--role goes with a room"))
		}
		var i operator.InviteInfo
		if err := s.Call(ctx, http.MethodPost, path, body, &i); err != nil {
			return err
		}
		if s.json {
			return s.printJSON(i)
		}
		_, err := fmt.Fprintf(s.out, "page     %s\ncode     %s\ninvite   %s\nexpires  %s\n", i.URL, i.Code, i.Invite, formatTime(i.ExpiresAt))
		return err
	})
	c.Flags().StringVar(&role, "role", "listener", "`role` in the room: listener, speaker or host")
	c.Flags().StringVar(&name, "for", "", "`name` of the person it is for")
	c.Flags().IntVar(&uses, "uses", 1, "how `many` people can use it")
	c.Flags().DurationVar(&ttl, "ttl", 0, "`time` until it expires (default: a day; to the club a week)")
	return c
}

func inviteList(f *operatorFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "list [ROOM]",
		Short:   "List the invites, to a room or all",
		Example: "  earshot invite list --json",
		Args:    cli.Arguments(cobra.MaximumNArgs(1)),
		RunE: f.operate(func(ctx context.Context, s *operatorSession, args []string) error {
			path := "/api/invites"
			if len(args) == 1 {
				path = operator.RoomPath(args[0], "invites")
			}
			var list struct {
				Invites []operator.InviteInfo `json:"invites"`
			}
			return s.show(ctx, path, &list, func() [][]string { return inviteRows(list.Invites) })
		}),
	}
}

func inviteRevoke(f *operatorFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke INVITE",
		Short:   "End an invite, by its code or by its id",
		Example: "  earshot invite revoke wlk4j5h6g7f2d3s2a3p4o5i6u7y2t3re",
		Args:    cli.Arguments(cobra.ExactArgs(1)),
		RunE: f.operate(func(ctx context.Context, s *operatorSession, args []string) error {
			return s.printDone(s.Call(ctx, http.MethodDelete, operator.InvitePath(args[0]), nil, nil), "revoked", args[0])
		}),
	}
}
