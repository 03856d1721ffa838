package metric

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/earshot-audio/earshot/internal/decimal"
	"github.com/earshot-audio/earshot/internal/spelling"
)

// ParseThreshold reads a condition on a metric: an aggregation, an operator and
// a limit, as in "p(99) < 20ms", and for some metrics a window, as in
// "rate >= 0.999 over 10s". Space between them is free. The metric may be a part
// of one, as in "latency{network:3g}".
//
// It returns an error that says what to write instead if the metric is unknown
// or has no such part, if the aggregation is unknown or does not fit the
// metric's kind, if the operator is none of < <= > >= == !=, if the limit is no
// number in a unit that fits, or if the window is no length of time.
func ParseThreshold(metric, expression string) (Threshold, error) {
	d, selector, err := ParseName(metric)
	if err != nil {
		return Threshold{}, err
	}
	t := Threshold{Metric: d.Name + selector.String(), Expression: strings.TrimSpace(expression), Selector: selector}
	if err := t.parse(d); err != nil {
		return Threshold{}, fmt.Errorf("threshold %q of %s: %w", t.Expression, t.Metric, err)
	}
	return t, nil
}

// parse takes the expression apart.
func (t *Threshold) parse(d Definition) error {
	condition, over, err := d.cutWindow(t.Expression)
	if err != nil {
		return err
	}
	t.Over = over
	aggregation, operator, limit, err := split(condition)
	if err != nil {
		return err
	}
	t.Operator = operator
	t.Aggregation, t.Percentile, err = parseAggregation(d, aggregation)
	if err != nil {
		return err
	}
	t.Limit, err = t.parseLimit(limit)
	return err
}

func unknownMetric(name string) error {
	names := make([]string, len(catalogue))
	for i, d := range catalogue {
		names[i] = d.Name
	}
	return fmt.Errorf("unknown metric %q: %s", name, spelling.Hint(name, names))
}

// split cuts an expression at its operator.
func split(expression string) (aggregation string, operator Operator, limit string, err error) {
	if expression == "" {
		return "", "", "", errors.New(`it is empty: write an aggregation, an operator and a value, as in "p(99) < 20ms"`)
	}
	const signs = "<>=!"
	start := strings.IndexAny(expression, signs)
	if start < 0 {
		return "", "", "", errors.New("it has no operator: use one of < <= > >= == !=")
	}
	rest := strings.TrimLeft(expression[start:], signs)
	operator = Operator(expression[start : len(expression)-len(rest)])
	switch operator {
	case Less, LessEqual, Greater, GreaterEqual, Equal, NotEqual:
	case "=", "===":
		return "", "", "", fmt.Errorf("unknown operator %s: did you mean ==?", operator)
	default:
		return "", "", "", fmt.Errorf("unknown operator %s: use one of < <= > >= == !=", operator)
	}
	return strings.TrimSpace(expression[:start]), operator, strings.TrimSpace(rest), nil
}

func parseAggregation(d Definition, text string) (Aggregation, float64, error) {
	name, percentile := Aggregation(text), 0.0
	if inner, ok := strings.CutPrefix(text, "p("); ok {
		number, closed := strings.CutSuffix(inner, ")")
		n, plain := parseNumber(strings.TrimSpace(number))
		if plain && !decimal.Is(strings.TrimSpace(number)) {
			return "", 0, fmt.Errorf("%s: %w", text, decimal.ErrForm)
		}
		if !closed || !plain || n < 0 || n > 100 {
			return "", 0, fmt.Errorf("%q is no percentile: write p(N) with N from 0 to 100, as in p(99.9)", text)
		}
		name, percentile = AggregatePercentile, n
	} else if text == string(AggregatePercentile) {
		return "", 0, errors.New("p needs a percentile, as in p(99)")
	}
	allowed := aggregations[d.Kind]
	if !slices.Contains(allowed, name) {
		return "", 0, wrongAggregation(d, text, name)
	}
	return name, percentile, nil
}

func wrongAggregation(d Definition, text string, name Aggregation) error {
	var known, fit []string
	for _, kind := range []Kind{KindTrend, KindRate, KindGauge} {
		for _, a := range aggregations[kind] {
			known = append(known, written(a))
		}
	}
	for _, a := range aggregations[d.Kind] {
		fit = append(fit, written(a))
	}
	list := strings.Join(fit, ", ")
	switch {
	case text == "":
		return fmt.Errorf("it has no aggregation: a %s has %s", d.Kind, list)
	case slices.Contains(known, written(name)):
		return fmt.Errorf("%s does not fit %s, which is a %s: use %s", text, d.Name, d.Kind, list)
	}
	return fmt.Errorf("unknown aggregation %q: %s", text, spelling.Hint(text, fit))
}

func written(a Aggregation) string {
	if a == AggregatePercentile {
		return "p(N)"
	}
	return string(a)
}

// A ratio turns a limit into the metric's own unit. Dividing keeps 9us at the
// very number that a sample of 9 µs has, which multiplying by 0.001 does not.
type ratio struct{ times, by float64 }

// The units of limits. Unicode has two letters for micro.
var (
	durationUnits = map[string]ratio{
		"us": {1, 1e3}, "\u00b5s": {1, 1e3}, "\u03bcs": {1, 1e3}, "ms": {1, 1}, "s": {1e3, 1}, "m": {60e3, 1},
	}
	byteUnits = map[string]ratio{
		"": {1, 1}, "B": {1, 1}, "kB": {1e3, 1}, "KB": {1e3, 1}, "MB": {1e6, 1}, "GB": {1e9, 1},
		"KiB": {1 << 10, 1}, "MiB": {1 << 20, 1}, "GiB": {1 << 30, 1},
	}
)

// parseLimit reads the limit into the unit of the threshold.
func (t Threshold) parseLimit(text string) (float64, error) {
	if text == "" {
		return 0, errors.New("it has no value after the operator")
	}
	digits := len(text) - len(strings.TrimLeft(text, "+-.0123456789"))
	number, unit := text[:digits], strings.TrimSpace(text[digits:])
	v, ok := parseNumber(number)
	if !ok {
		return 0, fmt.Errorf("%q is no number", text)
	}
	if len(unit) > 1 && strings.ContainsRune(",_xXoObBeE", rune(unit[0])) && unit[1] >= '0' && unit[1] <= '9' {
		return 0, fmt.Errorf("%s: %w", text, decimal.ErrForm) // 0,9 and 1_0, 0x1 and 0o1 and 0b1, 1e3
	}
	if !decimal.Is(number) {
		return 0, fmt.Errorf("%s: %w", number, decimal.ErrForm)
	}
	switch t.LimitUnit() {
	case Milliseconds:
		r, ok := durationUnits[unit]
		if unit == "" {
			return 0, fmt.Errorf("%s is a duration and needs a unit, as in %sms (us, ms, s or m)", t.Metric, number)
		}
		if !ok {
			return 0, fmt.Errorf("unknown unit %q of a duration: use us, ms, s or m", unit)
		}
		v = v * r.times / r.by
	case Bytes:
		r, ok := byteUnits[unit]
		if !ok {
			return 0, fmt.Errorf("unknown unit %q of bytes: use B, KB, MB, GB, KiB, MiB or GiB", unit)
		}
		v = v * r.times / r.by
	case Percent:
		if unit != "" && unit != "%" {
			return 0, fmt.Errorf("unknown unit %q of a share: use %% or none", unit)
		}
	default:
		if unit == "%" && t.Aggregation == AggregateRate {
			return 0, fmt.Errorf("a rate is a number from 0 to 1: write %v instead of %s", v/100, text)
		}
		if unit != "" {
			return 0, fmt.Errorf("%s of %s is a plain number: leave out the unit %q", t.aggregationName(), t.Metric, unit)
		}
	}
	if t.Aggregation == AggregateRate && (v < 0 || v > 1) {
		return 0, fmt.Errorf("a rate is a number from 0 to 1, not %s", number)
	}
	if math.IsInf(v, 0) {
		return 0, fmt.Errorf("%s is too large", text)
	}
	return v, nil
}

// parseNumber reads a decimal number without exponent: 20, 0.9999, -1.
func parseNumber(s string) (float64, bool) {
	if strings.Trim(s, "+-.0123456789") != "" {
		return 0, false // names, exponents, hexadecimal
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}
