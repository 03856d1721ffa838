package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/earshot-audio/earshot/loadgen/capacity"
	"github.com/earshot-audio/earshot/loadgen/metric"
)

// completeThreshold offers the metrics, with what they are; and after a metric's colon what
// can be asked of it.
func completeThreshold(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	var all []cobra.Completion
	selected := strings.LastIndexByte(typed, '}') + 1 // the colons of a selector are others
	if strings.Contains(typed, "{") && selected == 0 {
		return nil, directive
	}
	name, _, asked := strings.Cut(typed[selected:], ":")
	name = typed[:selected] + name
	if !asked {
		for _, d := range metric.Definitions() {
			all = append(all, cobra.CompletionWithDesc(d.Name+":", d.Help))
		}
		return all, directive
	}
	d, ok := metric.Lookup(strings.TrimSpace(name))
	if !ok {
		return nil, directive
	}
	condition := conditionOf(d)
	for _, aggregation := range askedOf[d.Kind] {
		all = append(all, fmt.Sprintf("%s: %s %s", strings.TrimSpace(name), aggregation, condition))
	}
	return all, directive
}

// askedOf is what is most often asked of a kind of metric.
var askedOf = map[metric.Kind][]string{
	metric.KindRate: {"rate"}, metric.KindTrend: {"p(95)", "p(99)", "med", "avg", "min", "max"}, metric.KindCounter: {"count"}, metric.KindGauge: {"value"},
}

// conditionOf is a condition on a metric to be changed: its operator, and a limit in its unit.
func conditionOf(d metric.Definition) string {
	switch {
	case d.Kind == metric.KindRate:
		return ">= 0.999"
	case d.HigherIsBetter():
		return ">= 4"
	case d.Unit == metric.Milliseconds:
		return "< 20ms"
	}
	return "< 1"
}

// completeVary offers what a search can vary.
func completeVary(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var all []cobra.Completion
	for _, q := range capacity.Quantities() {
		all = append(all, cobra.CompletionWithDesc(string(q), q.Unit()))
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}
