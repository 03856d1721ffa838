package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// roomShown is a room as the server shows it.
type roomShown struct {
	Room       string        `json:"room"`
	Name       string        `json:"name"`
	Visibility string        `json:"visibility"`
	Capacity   int           `json:"capacity"`
	Slots      int           `json:"slots"`
	Audience   int           `json:"audience"`
	Stage      []stageShown  `json:"stage"`
	CreatedAt  time.Time     `json:"created_at"`
	HostToken  string        `json:"host_token,omitempty"`
	ExpiresAt  *time.Time    `json:"expires_at,omitempty"`
	Members    []memberShown `json:"members,omitempty"`
	Invites    []inviteShown `json:"invites,omitempty"`
	Audit      []entryShown  `json:"audit,omitempty"`
}

type stageShown struct {
	Member string `json:"member"`
	Name   string `json:"name"`
	Role   string `json:"role"`
	Muted  bool   `json:"muted"`
}

type memberShown struct {
	Member   string    `json:"member"`
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	Account  string    `json:"account,omitempty"`
	Muted    bool      `json:"muted,omitempty"`
	Hand     bool      `json:"hand,omitempty"`
	Away     bool      `json:"away,omitempty"`
	JoinedAt time.Time `json:"joined_at"`
}

func roomCommand() *cobra.Command {
	var f operatorFlags
	c := &cobra.Command{
		Use:   "room",
		Short: "Look after the rooms of a running server",
		Long:  "Look after the rooms of a running server, as its operator.",
		Example: `  earshot room list
  earshot room create "The Lobby" --visibility members
  earshot room kick q3zk2v7c5x4w6y5u4t3s2r1qpo bo4t3s2r1qpo --ban`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f.bind(c)
	c.AddCommand(roomList(&f), roomShow(&f), roomCreate(&f), roomEnd(&f), roomKick(&f), roomMute(&f))
	return c
}

// roomPath returns the API's path of a room, or of something in it.
func roomPath(room string, more ...string) string {
	path := "/api/rooms/" + url.PathEscape(room)
	for _, m := range more {
		path += "/" + url.PathEscape(m)
	}
	return path
}

func roomList(f *operatorFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the rooms",
		Example: "  earshot room list --json",
		Args:    arguments(cobra.NoArgs),
		RunE: f.operate(func(ctx context.Context, a *api, _ []string) error {
			var list struct {
				Rooms []roomShown `json:"rooms"`
			}
			if err := a.call(ctx, http.MethodGet, "/api/rooms", nil, &list); err != nil {
				return err
			}
			if a.json {
				return a.raw(list)
			}
			rows := [][]string{{"ROOM", "NAME", "VISIBILITY", "STAGE", "AUDIENCE", "CREATED"}}
			for _, r := range list.Rooms {
				rows = append(rows, []string{r.Room, r.Name, r.Visibility, strconv.Itoa(len(r.Stage)),
					fmt.Sprintf("%d of %d", r.Audience, r.Capacity), when(r.CreatedAt)})
			}
			return table(a.out, rows)
		}),
	}
}

func roomShow(f *operatorFlags) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:     "show ROOM",
		Short:   "Show a room: who is in it, its invites, and who did what",
		Example: "  earshot room show q3zk2v7c5x4w6y5u4t3s2r1qpo",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: f.operate(func(ctx context.Context, a *api, args []string) error {
			var r roomShown
			trail := roomPath(args[0], "audit") + "?limit=" + strconv.Itoa(limit)
			for _, part := range []struct {
				path string
				into any
			}{
				{roomPath(args[0]), &r},
				{roomPath(args[0], "members"), &struct{ Members *[]memberShown }{&r.Members}},
				{roomPath(args[0], "invites"), &struct{ Invites *[]inviteShown }{&r.Invites}},
				{trail, &struct{ Entries *[]entryShown }{&r.Audit}},
			} {
				if err := a.call(ctx, http.MethodGet, part.path, nil, part.into); err != nil {
					return err
				}
			}
			if a.json {
				return a.raw(r)
			}
			return r.print(a)
		}),
	}
	c.Flags().IntVar(&limit, "limit", 20, "show the latest `N` deeds")
	return c
}

// print shows a room for people.
func (r roomShown) print(a *api) error {
	fmt.Fprintf(a.out, "%s  %s\n%s, %d slots, %d of %d seats taken, since %s\n",
		r.Room, printable(r.Name), r.Visibility, r.Slots, r.Audience, r.Capacity, when(r.CreatedAt))
	rows := [][]string{{"MEMBER", "NAME", "ROLE", "STATE", "ACCOUNT", "CAME"}}
	for _, m := range r.Members {
		rows = append(rows, []string{m.Member, m.Name, m.Role, m.state(), m.Account, when(m.JoinedAt)})
	}
	for _, part := range []struct {
		title string
		rows  [][]string
	}{
		{"In the room", rows}, {"Invites", inviteRows(r.Invites)}, {"Who did what", entryRows(r.Audit)},
	} {
		fmt.Fprintf(a.out, "\n%s\n", part.title)
		if len(part.rows) == 1 {
			fmt.Fprintln(a.out, "nobody, nothing")
			continue
		}
		if err := table(a.out, part.rows); err != nil {
			return err
		}
	}
	return nil
}

func (m memberShown) state() string {
	switch {
	case m.Away:
		return "away"
	case m.Muted:
		return "muted"
	case m.Hand:
		return "hand up"
	}
	return ""
}

func roomCreate(f *operatorFlags) *cobra.Command {
	var visibility string
	var capacity, slots int
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a room",
		Example: `  earshot room create "The Lobby"
  earshot room create Backstage --visibility closed --capacity 50`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	c.RunE = f.operate(func(ctx context.Context, a *api, args []string) error {
		body := map[string]any{"name": args[0], "visibility": visibility}
		for name, value := range map[string]int{"capacity": capacity, "slots": slots} {
			if c.Flags().Changed(name) {
				body[name] = value
			}
		}
		var r roomShown
		if err := a.call(ctx, http.MethodPost, "/api/rooms", body, &r); err != nil {
			return err
		}
		if a.json {
			return a.raw(r)
		}
		_, err := fmt.Fprintf(a.out, "room        %s\npage        %s/#/r/%s\nhost token  %s\n", r.Room, a.base, r.Room, r.HostToken)
		return err
	})
	c.Flags().StringVar(&visibility, "visibility", "open", "who sees it: `open`, members or closed")
	c.Flags().IntVar(&capacity, "capacity", 0, "`seats` in the audience (default: the server's)")
	c.Flags().IntVar(&slots, "slots", 0, "`voices` it passes on at once (default: the server's)")
	return c
}

func roomEnd(f *operatorFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "end ROOM",
		Short:   "End a room for everybody",
		Example: "  earshot room end q3zk2v7c5x4w6y5u4t3s2r1qpo",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: f.operate(func(ctx context.Context, a *api, args []string) error {
			return a.done(a.call(ctx, http.MethodDelete, roomPath(args[0]), nil, nil), "ended", args[0])
		}),
	}
}

func roomKick(f *operatorFlags) *cobra.Command {
	var ban bool
	c := &cobra.Command{
		Use:   "kick ROOM MEMBER",
		Short: "Put somebody out of a room",
		Long: `Put somebody out of a room. Their media stops at once, and they do not come in
again with the same token; with --ban, nor with the same account.`,
		Example: "  earshot room kick q3zk2v7c5x4w6y5u4t3s2r1qpo m7n6b5v4c3x2z --ban",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: f.operate(func(ctx context.Context, a *api, args []string) error {
			path := roomPath(args[0], "members", args[1]) + "?ban=" + strconv.FormatBool(ban)
			return a.done(a.call(ctx, http.MethodDelete, path, nil, nil), "out", args[1])
		}),
	}
	c.Flags().BoolVar(&ban, "ban", false, "for good: by account, too")
	return c
}

func roomMute(f *operatorFlags) *cobra.Command {
	var undo bool
	c := &cobra.Command{
		Use:     "mute ROOM MEMBER",
		Short:   "Mute somebody on stage, or let them be heard again",
		Example: "  earshot room mute q3zk2v7c5x4w6y5u4t3s2r1qpo m7n6b5v4c3x2z --undo",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: f.operate(func(ctx context.Context, a *api, args []string) error {
			did := "muted"
			if undo {
				did = "unmuted"
			}
			body := map[string]bool{"muted": !undo}
			return a.done(a.call(ctx, http.MethodPost, roomPath(args[0], "members", args[1], "mute"), body, nil), did, args[1])
		}),
	}
	c.Flags().BoolVar(&undo, "undo", false, "let them be heard again")
	return c
}

// done reports what had no answer but that it is done.
func (a *api) done(err error, did, what string) error {
	if err != nil {
		return err
	}
	if a.json {
		return a.raw(map[string]string{did: what})
	}
	_, err = fmt.Fprintf(a.out, "%s: %s\n", did, what)
	return err
}
