package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// inviteShown is an invite as the server shows it.
type inviteShown struct {
	Invite    string    `json:"invite"`
	To        string    `json:"to"`
	Room      string    `json:"room,omitempty"`
	Role      string    `json:"role,omitempty"`
	Name      string    `json:"name,omitempty"`
	Inviter   string    `json:"inviter"`
	Uses      int       `json:"uses"`
	Used      int       `json:"used"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	// Code and URL are shown once, to who makes it.
	Code string `json:"code,omitempty"`
	URL  string `json:"url,omitempty"`
}

func inviteRows(invites []inviteShown) [][]string {
	rows := [][]string{{"INVITE", "TO", "AS", "FOR", "BY", "USED", "STATE", "EXPIRES"}}
	for _, i := range invites {
		to, as := i.Room, i.Role
		if i.Room == "" {
			to, as = "the club", "member"
		}
		rows = append(rows, []string{i.Invite, to, as, i.Name, i.Inviter, fmt.Sprintf("%d of %d", i.Used, i.Uses), i.State, when(i.ExpiresAt)})
	}
	return rows
}

func inviteCommand() *cobra.Command {
	var f operatorFlags
	c := &cobra.Command{
		Use:   "invite",
		Short: "Invite people to a running server",
		Long: `Invite people to a running server, as its operator: to a room, as listener,
speaker or host, or to the club, as a member with an account. An invite's code is
shown once; the server keeps no more than a hash of it.`,
		Example: `  earshot invite create --for Ada
  earshot invite create q3zk2v7c5x4w6y5u4t3s2r1qpo --role speaker --for Bo
  earshot invite list`,
		Args: arguments(cobra.NoArgs),
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
		Args: arguments(cobra.MaximumNArgs(1)),
	}
	c.RunE = f.operate(func(ctx context.Context, a *api, args []string) error {
		body := map[string]any{"uses": uses, "name": name}
		if c.Flags().Changed("ttl") {
			if ttl < time.Second || ttl%time.Second != 0 {
				return usage(fmt.Errorf("--ttl %v is not a number of whole seconds", ttl))
			}
			body["ttl_s"] = int64(ttl / time.Second)
		}
		path := "/api/invites"
		if len(args) == 1 {
			path, body["role"] = roomPath(args[0], "invites"), role
		} else if c.Flags().Changed("role") {
			return usage(errors.New("--role goes with a room"))
		}
		var i inviteShown
		if err := a.call(ctx, http.MethodPost, path, body, &i); err != nil {
			return err
		}
		if a.json {
			return a.raw(i)
		}
		_, err := fmt.Fprintf(a.out, "page     %s\ncode     %s\ninvite   %s\nexpires  %s\n", i.URL, i.Code, i.Invite, when(i.ExpiresAt))
		return err
	})
	c.Flags().StringVar(&role, "role", "listener", "`role` in the room: listener, speaker or host")
	c.Flags().StringVar(&name, "for", "", "`name` of whom it is for")
	c.Flags().IntVar(&uses, "uses", 1, "how `many` may come in by it")
	c.Flags().DurationVar(&ttl, "ttl", 0, "`time` for which it is good (default: a day; to the club a week)")
	return c
}

func inviteList(f *operatorFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "list [ROOM]",
		Short:   "List the invites, to a room or all",
		Example: "  earshot invite list --json",
		Args:    arguments(cobra.MaximumNArgs(1)),
		RunE: f.operate(func(ctx context.Context, a *api, args []string) error {
			path := "/api/invites"
			if len(args) == 1 {
				path = roomPath(args[0], "invites")
			}
			var list struct {
				Invites []inviteShown `json:"invites"`
			}
			if err := a.call(ctx, http.MethodGet, path, nil, &list); err != nil {
				return err
			}
			if a.json {
				return a.raw(list)
			}
			return table(a.out, inviteRows(list.Invites))
		}),
	}
}

func inviteRevoke(f *operatorFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke INVITE",
		Short:   "End an invite, by its code or by its id",
		Example: "  earshot invite revoke wlk4j5h6g7f2d3s2a3p4o5i6u7y2t3re",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: f.operate(func(ctx context.Context, a *api, args []string) error {
			return a.done(a.call(ctx, http.MethodDelete, "/api/invites/"+url.PathEscape(args[0]), nil, nil), "revoked", args[0])
		}),
	}
}
