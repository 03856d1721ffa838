package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/loadgen/capacity"
	"github.com/earshot-audio/earshot/loadgen/report"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// leagueFlags are the flags of earshot league.
type leagueFlags struct {
	runFlags
	teams   []string
	summary string
}

func leagueCommand() *cobra.Command {
	var f leagueFlags
	c := &cobra.Command{
		Use:   "league SCENARIO --team NAME... --team 'NAME whip=URL whep=URL'...",
		Short: "Play one scenario against several servers in turn, and set them side by side",
		Long: `Play the same scenario against several servers, one after the other, and print
what each did side by side, as ratios to the first.

A team is a name and, after it, what to play against: nothing for a server of
earshot's own, target=URL for a running one, or whip=URL and whep=URL for any
WHIP/WHEP server, in which {room} stands for the room. Besides: token=TOKEN, and
pid=NUMBER of the server's process if it is on this machine, for its CPU and memory.

Exit codes are those of run: the worst of all teams' counts. A server that could
not be played against is a failure of the league (1), after the others have played.`,
		Example: `  earshot league scenarios/smoke.yaml --team earshot --team 'mediamtx whip=http://127.0.0.1:8889/{room}/whip whep=http://127.0.0.1:8889/{room}/whep pid=4711'`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return f.play(c.Context(), args[0], c.Flags().Changed, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.teams, "team", nil, "a server, as `'NAME key=value...'` (repeatable, two at least)")
	f.trusted(flags)
	flags.IntVar(&f.listeners, "listeners", 0, "cast `N` listeners a room instead of the scenario's")
	f.changes(flags)
	flags.StringVar(&f.summary, "summary", "", "write all teams' figures as JSON to this `file`")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print the table alone, without the progress")
	return c
}

// A team is one server of a league, and what became of it.
type team struct {
	name   string
	flags  runFlags
	report *report.Report // nil: it could not be played against
	err    error
}

// parseTeam reads a team as the command line has it.
func parseTeam(text string, base runFlags) (*team, error) {
	words := strings.Fields(text)
	if len(words) == 0 || strings.Contains(words[0], "=") {
		return nil, fmt.Errorf("--team %q begins with no name", text)
	}
	t := &team{name: words[0], flags: base}
	kinds := drivers()
	t.flags.driver = kinds[0].Name
	for _, word := range words[1:] {
		key, value, ok := strings.Cut(word, "=")
		if !ok || value == "" {
			return nil, fmt.Errorf("--team %s: %q is not of the form key=value", t.name, word)
		}
		switch key {
		case "token":
			t.flags.token = value
		case "pid":
			pid, err := strconv.Atoi(value)
			if err != nil || pid < 1 {
				return nil, fmt.Errorf("--team %s: pid=%s is no number of a process", t.name, value)
			}
			t.flags.serverPID = pid
		default:
			kind, flag, ok := kinds.Key(key)
			if !ok {
				return nil, fmt.Errorf("--team %s has no %q: it can have %s, token, pid", t.name, key, strings.Join(kinds.Keys(), ", "))
			}
			t.flags.set(kind, flag, value)
		}
	}
	return t, nil
}

// play plays the scenario against each team.
func (f leagueFlags) play(ctx context.Context, path string, changed func(string) bool, stdout, stderr io.Writer) error {
	s, err := f.runFlags.scenario(path, changed)
	if err != nil {
		return usage(err)
	}
	var teams []*team
	for _, text := range f.teams {
		t, err := parseTeam(text, f.runFlags)
		if err != nil {
			return usage(err)
		}
		teams = append(teams, t)
	}
	if len(teams) < 2 {
		return usage(errors.New("a league has two teams at least: give --team for each"))
	}
	if err := writable(f.summary); err != nil {
		return usage(err)
	}
	trust, err := f.trust()
	if err != nil {
		return usage(err)
	}
	for _, t := range teams {
		if err := f.match(ctx, t, s, trust, stderr); err != nil {
			return err
		}
	}
	_, err = io.WriteString(stdout, leagueTable(s.Name, teams))
	if f.summary != "" {
		err = errors.Join(err, writeFile(f.summary, func(w io.Writer) error { return writeLeague(w, s, teams) }))
	}
	if err != nil {
		return err
	}
	return standing(teams)
}

// match plays against one team. Its error is one that ends the league.
func (f leagueFlags) match(ctx context.Context, t *team, s *scenario.Scenario, trust *tls.Config, stderr io.Writer) error {
	fmt.Fprintf(stderr, "against %s\n", t.name)
	measured, err := t.flags.measure(ctx, s, trust, watchers{}, stderr)
	if ctx.Err() != nil {
		return interrupted(errors.New("the league was interrupted"))
	}
	var marked *exitError
	if errors.As(err, &marked) {
		return fmt.Errorf("team %s: %w", t.name, err)
	}
	t.err = err
	if measured != nil {
		t.report = report.Judge(measured, s.Thresholds)
	}
	return nil
}

// standing is the worst of what happened.
func standing(teams []*team) error {
	var failed []error
	worst := report.Pass
	for _, t := range teams {
		switch {
		case t.err != nil:
			failed = append(failed, fmt.Errorf("team %s: %w", t.name, t.err))
		case t.report.Verdict == report.Invalid:
			worst = report.Invalid
		case t.report.Verdict == report.Fail && worst == report.Pass:
			worst = report.Fail
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	if worst != report.Pass {
		return &verdictError{worst}
	}
	return nil
}

// figures are a team's; nil if it has none.
func (t *team) figure(f capacity.Figure) (float64, bool) {
	return f.Of(capacity.Step{Report: t.report})
}

// leagueFigures are the rows of the table.
var leagueFigures = []string{
	"joined", "join_duration p(50)", "join_duration p(95)", "delivered", "latency p(50)", "latency p(99)",
	"audio_gap p(99)", "mos p(50)", "server_cpu", "server_rss", "packets_per_core",
}

// leagueTable is the teams side by side; a ratio is to the first team.
func leagueTable(name string, teams []*team) string {
	rows := [][]string{{""}, {"verdict"}}
	for _, t := range teams {
		rows[0] = append(rows[0], t.name, "")
		verdict := "could not be played"
		if t.report != nil {
			verdict = string(t.report.Verdict)
		}
		rows[1] = append(rows[1], verdict, "")
	}
	known := map[string]capacity.Figure{}
	for _, f := range capacity.Figures() {
		known[f.Name] = f
	}
	for _, figure := range leagueFigures {
		f := known[figure]
		row := []string{figure}
		first, comparable := teams[0].figure(f)
		for _, t := range teams {
			v, ok := t.figure(f)
			ratio := ""
			if ok && comparable && first != 0 {
				ratio = fmt.Sprintf("%.2f×", v/first)
			}
			text := "–"
			if ok {
				text = f.Write(v)
			}
			row = append(row, text, ratio)
		}
		rows = append(rows, row)
	}
	text := "\n  " + name + "\n\n" + columns(rows) + "\n"
	for _, t := range teams {
		if t.report != nil {
			for _, why := range t.report.Reasons {
				text += fmt.Sprintf("  %s is invalid: %s\n", t.name, why)
			}
		}
	}
	return text
}

// columns aligns rows: the first column to the left, the others to the right.
func columns(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := "  "
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i == 0 {
				line += cell + space
			} else {
				line += "  " + space + cell
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// writeLeague writes all teams' figures for programs.
func writeLeague(w io.Writer, s *scenario.Scenario, teams []*team) error {
	type entry struct {
		Name    string             `json:"name"`
		Target  string             `json:"target,omitempty"`
		Verdict report.Verdict     `json:"verdict,omitempty"`
		Reasons []string           `json:"reasons,omitempty"`
		Error   string             `json:"error,omitempty"`
		Figures map[string]float64 `json:"figures"`
	}
	document := struct {
		SchemaVersion int     `json:"schema_version"`
		Kind          string  `json:"kind"`
		Scenario      string  `json:"scenario"`
		Seed          int64   `json:"seed"`
		Teams         []entry `json:"teams"`
	}{1, "league", s.Name, s.Seed, nil}
	for _, t := range teams {
		e := entry{Name: t.name, Figures: map[string]float64{}}
		if t.report != nil {
			e.Target, e.Verdict, e.Reasons = t.report.Result.Target, t.report.Verdict, t.report.Reasons
		}
		if t.err != nil {
			e.Error = t.err.Error()
		}
		for _, f := range capacity.Figures() {
			if v, ok := t.figure(f); ok {
				e.Figures[f.Name] = v
			}
		}
		document.Teams = append(document.Teams, e)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(document)
}
