package metric

import (
	"fmt"
	"strings"
)

// The patterns of thresholds, as JSON Schema takes them (ECMA 262). They accept
// what [ParseThreshold] accepts, but for what a regular expression can't compare,
// like the length of a window with its bounds.
const (
	numberPattern     = `[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)`
	sharePattern      = `\+?(0(\.[0-9]*)?|\.[0-9]+|1(\.0*)?)`
	operatorPattern   = `\s*(<=?|>=?|==|!=)\s*`
	trendPattern      = `(avg|min|med|max|p\(\s*\+?([0-9](\.[0-9]*)?|[1-9][0-9](\.[0-9]*)?|100(\.0*)?|\.[0-9]+)\s*\))`
	overPattern       = `(\s+over\s+((0|[1-9][0-9]*)(\.[0-9]*)?(ms|s|m|h))+)?`
	selectorCharacter = `[^{}:\"',\s][^{}:\"',]*`
)

// unitPatterns is how the limit of a figure is written in each unit.
var unitPatterns = map[Unit]string{
	Milliseconds: `\s*(us|` + "\u00b5s|\u03bcs" + `|ms|s|m)`,
	Bytes:        `\s*([kKMG]?B|[KMG]iB)?`,
	Percent:      `\s*%?`,
}

// ThresholdPattern is a regular expression for thresholds of the metric.
func (d Definition) ThresholdPattern() string {
	count := "count" + operatorPattern + numberPattern
	limit := numberPattern + unitPatterns[d.Unit]
	forms := map[Kind]string{
		KindRate:    "rate" + operatorPattern + sharePattern + "|" + count,
		KindTrend:   trendPattern + operatorPattern + limit + "|" + count,
		KindCounter: count,
		KindGauge:   "value" + operatorPattern + limit,
	}
	over := ""
	if d.Parts.Windows {
		over = overPattern
	}
	return `^\s*(` + forms[d.Kind] + ")" + over + `\s*$`
}

// NamePattern is a regular expression for the metric's name with a selector; "" if
// it has no parts to select.
func (d Definition) NamePattern() string {
	var keys, pairs []string
	if d.Parts.People {
		keys = append(keys, "network", "transport", "node", "role")
	}
	if d.Parts.Phases {
		keys = append(keys, "phase")
	}
	if keys != nil {
		pairs = append(pairs, fmt.Sprintf(`(%s)\s*:\s*%s`, strings.Join(keys, "|"), selectorCharacter))
	}
	if d.Parts.Steps != nil {
		pairs = append(pairs, fmt.Sprintf(`step\s*:\s*(%s)\s*`, strings.Join(d.Parts.Steps, "|")))
	}
	if d.Parts.By != nil {
		pairs = append(pairs, fmt.Sprintf(`by\s*:\s*(%s)\s*`, strings.Join(d.Parts.By, "|")))
	}
	switch len(pairs) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(`^\s*%s\s*\{\s*%s(,\s*%s){0,3}\}\s*$`, d.Name, pairs[0], pairs[0])
	}
	pair := "(" + strings.Join(pairs, "|") + ")"
	return fmt.Sprintf(`^\s*%s\s*\{\s*%s(,\s*%s){0,4}\}\s*$`, d.Name, pair, pair)
}

// Example is a threshold of the metric.
func (d Definition) Example() string {
	switch d.Kind {
	case KindRate:
		return "rate >= 0.999"
	case KindCounter:
		return "count == 0"
	case KindGauge:
		if d.Unit == Bytes {
			return "value < 500MB"
		}
		return "value >= 1"
	}
	switch {
	case d.HigherIsBetter():
		return "p(5) >= 4"
	case d.Unit == Milliseconds:
		return "p(99) < 20ms"
	case d.Unit == Percent:
		return "p(99) < 1%"
	}
	return "p(99) < 5"
}
