package versus

import (
	_ "embed" // for the page
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/earshot-audio/earshot/loadgen/report"
)

//go:embed page.tmpl
var pageTemplate string

// A page is what the template shows.
type page struct {
	Title, What string
	Tone, Worst string
	Heads       []string
	Targets     []shownTarget
	Style       template.CSS
}

// A shownTarget is a row of the table by target, and what else there is to say of it.
type shownTarget struct {
	Name, Tone, Verdict string
	Cells               []cell
	Where, Lead         string
	Why                 []string
	Thresholds          template.HTML
}

// A cell is a figure, what it is, and its ratio to the first target's.
type cell struct{ Head, Value, Ratio string }

// WriteHTML writes the targets side by side as one page that loads nothing: a table by target,
// and for each its thresholds and what kept it from passing.
func (r *Result) WriteHTML(w io.Writer) error {
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return fmt.Errorf("the page of several targets: %w", err)
	}
	p := page{
		Title: r.Scenario, What: fmt.Sprintf("%d targets, one after the other; seed %d", len(r.Targets), r.Seed),
		Tone: tone(r.Verdict()), Worst: string(r.Verdict()),
		Style: template.CSS(report.Style()), // a constant of ours
	}
	if r.Err() != nil {
		p.Tone, p.Worst = "doubt", "not all could be played"
	}
	for _, f := range shown() {
		p.Heads = append(p.Heads, f.Name())
	}
	for _, t := range r.Targets {
		s, err := r.show(t)
		if err != nil {
			return err
		}
		p.Targets = append(p.Targets, s)
	}
	return t.Execute(w, p)
}

func (r *Result) show(t Target) (shownTarget, error) {
	s := shownTarget{Name: t.Name, Verdict: t.verdict(), Tone: "doubt", Why: t.why()}
	for _, f := range shown() {
		value, ratio := r.compared(f, t)
		s.Cells = append(s.Cells, cell{f.Name(), value, ratio})
	}
	if t.Err != nil {
		s.Why = append(s.Why, t.Err.Error())
	}
	if t.Report == nil {
		return s, nil
	}
	var thresholds strings.Builder
	if err := t.Report.WriteThresholds(&thresholds); err != nil {
		return s, err
	}
	s.Thresholds = template.HTML(thresholds.String()) // made by report, which escapes all text
	s.Tone, s.Where, s.Lead = tone(t.Report.Verdict), t.Report.Result.Target, t.Report.Lead()
	return s, nil
}

// tone is how the page colours a verdict.
func tone(v report.Verdict) string {
	switch v {
	case report.Pass:
		return "good"
	case report.Fail:
		return "bad"
	}
	return "doubt"
}
