package metric

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A Record is values in a form that loses nothing: unlike the JSON of [Values], which has
// the figures that people ask for, it has whole distributions. Windows are left out.
type Record Values

// A recordedValue has one of its fields.
type recordedValue struct {
	Trend   *Trend     `json:"t,omitempty"`
	Rate    *[2]uint64 `json:"r,omitempty"` // passes, total
	Counter *uint64    `json:"c,omitempty"`
	Gauge   *float64   `json:"g,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (r Record) MarshalJSON() ([]byte, error) {
	all := make(map[string]recordedValue, len(r))
	for name, value := range r {
		if err := fits(name, value); err != nil {
			return nil, err
		}
		switch v := value.(type) {
		case *Trend:
			if v != nil {
				all[name] = recordedValue{Trend: v}
			}
		case Rate:
			all[name] = recordedValue{Rate: &[2]uint64{v.Passes, v.Total}}
		case Counter:
			all[name] = recordedValue{Counter: (*uint64)(&v)}
		case Gauge:
			if !v.empty() {
				all[name] = recordedValue{Gauge: (*float64)(&v)}
			}
		}
	}
	return json.Marshal(all)
}

// UnmarshalJSON implements json.Unmarshaler. It takes over nothing that does not fit the
// catalogue.
func (r *Record) UnmarshalJSON(text []byte) error {
	var all map[string]recordedValue
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	next := make(Record, len(all))
	for name, v := range all {
		switch {
		case v.Trend != nil:
			next[name] = v.Trend
		case v.Rate != nil && v.Rate[0] <= v.Rate[1]:
			next[name] = Rate{Passes: v.Rate[0], Total: v.Rate[1]}
		case v.Counter != nil:
			next[name] = Counter(*v.Counter)
		case v.Gauge != nil:
			next[name] = Gauge(*v.Gauge)
		default:
			return fmt.Errorf("metric %s: %w", name, errNoValue)
		}
		if err := fits(name, next[name]); err != nil {
			return err
		}
	}
	*r = next
	return nil
}

var errNoValue = errors.New("there is no value that can be")
