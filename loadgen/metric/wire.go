package metric

import (
	b64 "encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// The JSON of a [Trend] and of a [Frozen] is for the parts of a run that other processes
// play: it loses nothing, so that what is merged from parts is to the bit what one process
// would have measured. Counters are pairs of varints in base64: how many counters lie
// between it and the one before, and its count.

// A wireTrend is a Trend on the wire.
type wireTrend struct {
	Count    uint64   `json:"n,omitempty"`
	Sum      exactSum `json:"s,omitempty"`
	Min      float64  `json:"a,omitempty"`
	Max      float64  `json:"z,omitempty"`
	Counters string   `json:"h,omitempty"`
	Over     uint64   `json:"o,omitempty"`
	Negative uint64   `json:"g,omitempty"`
	Invalid  uint64   `json:"i,omitempty"`
	Coarse   bool     `json:"c,omitempty"`
}

// A wireFrozen is a Frozen on the wire.
type wireFrozen struct {
	Sum      int64   `json:"s,omitempty"`
	Min      float64 `json:"a,omitempty"`
	Max      float64 `json:"z,omitempty"`
	Counters string  `json:"h,omitempty"`
	Outside  *Trend  `json:"o,omitempty"`
}

// maxSumParts bounds the parts of a sum that is read: more than any sum of numbers can
// have, of which the largest is 2²¹⁰⁰ times the least.
const maxSumParts = 64

// maxCounters bounds the text of counters that is read: each counter there is, with its
// greatest count.
const maxCounters = countsLen * (binary.MaxVarintLen16 + binary.MaxVarintLen64) * 4 / 3

// MarshalJSON implements json.Marshaler.
func (t *Trend) MarshalJSON() ([]byte, error) {
	w := wireTrend{Coarse: t.coarse, Count: t.count, Sum: t.sum, Min: t.min, Max: t.max, Over: t.over, Negative: t.negative, Invalid: t.invalid}
	if t.histogram != nil {
		var c counters
		for _, used := range t.histogram.Counters() {
			c.add(used.Index, used.Count)
		}
		w.Counters = c.text()
	}
	return json.Marshal(w)
}

// UnmarshalJSON implements json.Unmarshaler. It takes over nothing that does not fit
// together.
func (t *Trend) UnmarshalJSON(text []byte) error {
	var w wireTrend
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	if len(w.Sum) > maxSumParts || !(w.Min <= w.Max) {
		return errors.New("a trend's sum, or its range, can't be")
	}
	next := Trend{coarse: w.Coarse, count: w.Count, min: w.Min, max: w.Max, over: w.Over, negative: w.Negative, invalid: w.Invalid}
	next.sum.merge(w.Sum)
	sum, err := eachCounter(w.Counters, func(index int, n uint64) error {
		next.open()
		if !next.histogram.Add(index, n) {
			return errors.New("there is no such counter")
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case sum+w.Over != w.Count || w.Over > w.Count || w.Negative > w.Count:
		return errors.New("a trend's counters are not those of its samples")
	}
	*t = next
	return nil
}

// MarshalJSON implements json.Marshaler.
func (f *Frozen) MarshalJSON() ([]byte, error) {
	w := wireFrozen{Sum: f.sum, Min: f.min, Max: f.max}
	if f.outside != nil && f.outside.count+f.outside.invalid > 0 {
		w.Outside = f.outside
	}
	var c counters
	for i, index := range f.index {
		c.add(int(index), uint64(f.counts[i]))
	}
	w.Counters = c.text()
	return json.Marshal(w)
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Frozen) UnmarshalJSON(text []byte) error {
	var w wireFrozen
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	next := Frozen{sum: w.Sum, min: w.Min, max: w.Max, outside: w.Outside}
	sum, err := eachCounter(w.Counters, func(index int, n uint64) error {
		if n > math.MaxUint32 {
			return fmt.Errorf("a counter holds %d", n)
		}
		next.index, next.counts = append(next.index, uint16(index)), append(next.counts, uint32(n))
		return nil
	})
	if err != nil {
		return err
	}
	if !(w.Min <= w.Max) {
		return errors.New("a distribution's range can't be")
	}
	next.count = sum
	*f = next
	return nil
}

// counters are a histogram's as they are written. They are added in their order.
type counters struct {
	bytes []byte
	next  int
}

func (c *counters) add(index int, n uint64) {
	if n == 0 {
		return
	}
	c.bytes = binary.AppendUvarint(c.bytes, uint64(index-c.next))
	c.bytes = binary.AppendUvarint(c.bytes, n)
	c.next = index + 1
}

func (c *counters) text() string { return b64.RawStdEncoding.EncodeToString(c.bytes) }

// eachCounter reads what counters.text has written, and returns the sum of all counts.
func eachCounter(text string, do func(index int, n uint64) error) (sum uint64, err error) {
	if len(text) > maxCounters {
		return 0, fmt.Errorf("counters of %d bytes are too long", len(text))
	}
	all, err := b64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return 0, fmt.Errorf("read counters: %w", err)
	}
	next := uint64(0)
	for len(all) > 0 {
		skipped, a := binary.Uvarint(all)
		if a <= 0 {
			return 0, errors.New("counters are cut short")
		}
		n, b := binary.Uvarint(all[a:])
		if b <= 0 {
			return 0, errors.New("counters are cut short")
		}
		all = all[a+b:]
		if skipped >= countsLen || next+skipped >= countsLen || n == 0 || n > math.MaxInt64-sum {
			return 0, errors.New("there is no such counter")
		}
		index := int(next + skipped)
		if err := do(index, n); err != nil {
			return 0, err
		}
		next, sum = uint64(index)+1, sum+n
	}
	return sum, nil
}
