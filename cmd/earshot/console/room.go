package console

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/cmd/earshot/cli"
	"github.com/earshot-audio/earshot/internal/operator"
	"github.com/earshot-audio/earshot/internal/table"
)

func roomCommand() *cobra.Command {
	var f operatorFlags
	c := &cobra.Command{
		Use:   "room",
		Short: "Manage the rooms of a running server",
		Long:  "Manage the rooms of a running server, as its operator.",
		Example: `  earshot room list
  earshot room create "The Lobby" --visibility members
  earshot room kick q3zk2v7c5x4w6y5u4t3s2r1qpo bo4t3s2r1qpo --ban`,
		Args: cli.Arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f.bind(c)
	c.AddCommand(roomList(&f), roomShow(&f), roomCreate(&f), roomEnd(&f), roomKick(&f), roomMute(&f))
	return c
}

func roomList(f *operatorFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the rooms",
		Example: "  earshot room list --json",
		Args:    cli.Arguments(cobra.NoArgs),
		RunE: f.operate(func(ctx context.Context, s *operatorSession, _ []string) error {
			var list struct {
				Rooms []operator.RoomInfo `json:"rooms"`
			}
			return s.show(ctx, "/api/rooms", &list, func() [][]string {
				rows := [][]string{{"ROOM", "NAME", "VISIBILITY", "STAGE", "AUDIENCE", "CREATED"}}
				for _, r := range list.Rooms {
					rows = append(rows, []string{r.Room, r.Name, r.Visibility, strconv.Itoa(len(r.Stage)),
						fmt.Sprintf("%d of %d", r.Audience, r.Capacity), formatTime(r.CreatedAt)})
				}
				return rows
			})
		}),
	}
}

func roomShow(f *operatorFlags) *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:     "show ROOM",
		Short:   "Show a room: who is in it, its invites, and who did what",
		Example: "  earshot room show q3zk2v7c5x4w6y5u4t3s2r1qpo",
		Args:    cli.Arguments(cobra.ExactArgs(1)),
		RunE: f.operate(func(ctx context.Context, s *operatorSession, args []string) error {
			var r operator.RoomInfo
			trail := operator.RoomPath(args[0], "audit") + "?limit=" + strconv.Itoa(limit)
			for _, part := range []struct {
				path string
				into any
			}{
				{operator.RoomPath(args[0]), &r},
				{operator.RoomPath(args[0], "members"), &struct{ Members *[]operator.Member }{&r.Members}},
				{operator.RoomPath(args[0], "invites"), &struct{ Invites *[]operator.InviteInfo }{&r.Invites}},
				{trail, &struct{ Entries *[]operator.AuditEntry }{&r.Audit}},
			} {
				if err := s.Call(ctx, http.MethodGet, part.path, nil, part.into); err != nil {
					return err
				}
			}
			if s.json {
				return s.printJSON(r)
			}
			return s.printRoom(r)
		}),
	}
	c.Flags().IntVar(&limit, "limit", 20, "show the latest `N` audit entries")
	return c
}

// printRoom prints a room for people.
func (s *operatorSession) printRoom(r operator.RoomInfo) error {
	slots := "slots"
	if r.Slots == 1 {
		slots = "slot"
	}
	fmt.Fprintf(s.out, "%s  %s\n%s, %d %s, %d of %d seats taken, since %s\n",
		r.Room, table.Printable(r.Name), r.Visibility, r.Slots, slots, r.Audience, r.Capacity, formatTime(r.CreatedAt))
	if r.AudienceHold > 0 {
		fmt.Fprintf(s.out, "packets for the audience wait for up to %d ms\n", r.AudienceHold)
	}
	rows := [][]string{{"MEMBER", "NAME", "ROLE", "STATE", "ACCOUNT", "CAME"}}
	for _, m := range r.Members {
		rows = append(rows, []string{m.Member, m.Name, m.Role, m.State(), m.Account, formatTime(m.JoinedAt)})
	}
	for _, part := range []struct {
		title string
		rows  [][]string
	}{
		{"In the room", rows}, {"Invites", inviteRows(r.Invites)}, {"Who did what", auditRows(r.Audit)},
	} {
		fmt.Fprintf(s.out, "\n%s\n", part.title)
		if len(part.rows) == 1 {
			fmt.Fprintln(s.out, "nobody, nothing")
			continue
		}
		if err := s.printTable(part.rows); err != nil {
			return err
		}
	}
	return nil
}

func roomCreate(f *operatorFlags) *cobra.Command {
	var visibility string
	var capacity, slots int
	var hold time.Duration
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a room",
		Example: `  earshot room create "The Lobby"
  earshot room create Backstage --visibility closed --capacity 50`,
		Args: cli.Arguments(cobra.ExactArgs(1)),
	}
	c.RunE = f.operate(func(ctx context.Context, s *operatorSession, args []string) error {
		body := map[string]any{"name": args[0], "visibility": visibility}
		for name, value := range map[string]int{"capacity": capacity, "slots": slots} {
			if c.Flags().Changed(name) {
				body[name] = value
			}
		}
		if c.Flags().Changed("audience-hold") {
			if hold%time.Millisecond != 0 {
				return cli.Usage(fmt.Errorf("--audience-hold is %s: give it whole milliseconds", hold))
			}
			body["audience_hold_ms"] = hold.Milliseconds()
		}
		var r operator.RoomInfo
		if err := s.Call(ctx, http.MethodPost, "/api/rooms", body, &r); err != nil {
			return err
		}
		if s.json {
			return s.printJSON(r)
		}
		_, err := fmt.Fprintf(s.out, `room        %[1]s
page        %[2]s/#/r/%[1]s
host token  %[3]s

Next:
  a link for its host          earshot invite create %[1]s --role host%[4]s
  a link for 100 listeners     earshot invite create %[1]s --uses 100%[4]s
  who is in it, who did what   earshot room show %[1]s%[4]s
The host token is for programs: over WHIP, WHEP, the WebSocket and the HTTP API.
`, r.Room, s.Base(), r.HostToken, s.flags)
		return err
	})
	c.Flags().StringVar(&visibility, "visibility", "open", "who sees it: `open`, members or closed")
	c.Flags().IntVar(&capacity, "capacity", 0, "`seats` in the audience (default: the server's)")
	c.Flags().IntVar(&slots, "slots", 0, "how many `voices` it forwards at once (default: the server's)")
	c.Flags().DurationVar(&hold, "audience-hold", 0, "how long packets for the audience may wait for others, to leave as one message; up to 200ms")
	return c
}

func roomEnd(f *operatorFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "end ROOM",
		Short:   "End a room for everybody",
		Example: "  earshot room end q3zk2v7c5x4w6y5u4t3s2r1qpo",
		Args:    cli.Arguments(cobra.ExactArgs(1)),
		RunE: f.operate(func(ctx context.Context, s *operatorSession, args []string) error {
			return s.printDone(s.Call(ctx, http.MethodDelete, operator.RoomPath(args[0]), nil, nil), "ended", args[0])
		}),
	}
}

func roomKick(f *operatorFlags) *cobra.Command {
	var ban bool
	c := &cobra.Command{
		Use:   "kick ROOM MEMBER",
		Short: "Remove somebody from a room",
		Long: `Remove somebody from a room. Their media stops at once, and their token is
revoked; with --ban, so is their account.`,
		Example: "  earshot room kick q3zk2v7c5x4w6y5u4t3s2r1qpo m7n6b5v4c3x2z --ban",
		Args:    cli.Arguments(cobra.ExactArgs(2)),
		RunE: f.operate(func(ctx context.Context, s *operatorSession, args []string) error {
			path := operator.RoomPath(args[0], "members", args[1]) + "?ban=" + strconv.FormatBool(ban)
			return s.printDone(s.Call(ctx, http.MethodDelete, path, nil, nil), "out", args[1])
		}),
	}
	c.Flags().BoolVar(&ban, "ban", false, "ban the account, too")
	return c
}

func roomMute(f *operatorFlags) *cobra.Command {
	var undo bool
	c := &cobra.Command{
		Use:     "mute ROOM MEMBER",
		Short:   "Mute or unmute somebody on stage",
		Example: "  earshot room mute q3zk2v7c5x4w6y5u4t3s2r1qpo m7n6b5v4c3x2z --undo",
		Args:    cli.Arguments(cobra.ExactArgs(2)),
		RunE: f.operate(func(ctx context.Context, s *operatorSession, args []string) error {
			did := "muted"
			if undo {
				did = "unmuted"
			}
			body := map[string]bool{"muted": !undo}
			return s.printDone(s.Call(ctx, http.MethodPost, operator.RoomPath(args[0], "members", args[1], "mute"), body, nil), did, args[1])
		}),
	}
	c.Flags().BoolVar(&undo, "undo", false, "unmute")
	return c
}
