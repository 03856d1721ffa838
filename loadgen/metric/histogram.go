package metric

import (
	"errors"
	"fmt"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Histogram is the trend's histogram of thousandths of the unit, in the
// compressed V2 encoding of HdrHistogram (https://hdrhistogram.org) as base64,
// which the histograms of other runs can be added to in any of its languages. It
// is empty if no sample was from 0 to 60,000. Samples below 0 are in it as 0, and
// those above are not in it.
func (t *Trend) Histogram() (string, error) {
	if t.histogram == nil || t.histogram.TotalCount() == 0 {
		return "", nil
	}
	text, err := t.histogram.Encode(hdr.V2CompressedEncodingCookieBase)
	return string(text), err
}

// A Saved is what a summary keeps of a trend, enough to add trends of several
// runs or machines together.
type Saved struct {
	Histogram string
	Count     uint64
	Avg       float64
	Min, Max  float64
}

// Restore makes a trend of what was saved. It returns an error if the histogram
// is none, or does not fit the count.
func (s Saved) Restore() (*Trend, error) {
	t := &Trend{count: s.Count, sum: s.Avg * float64(s.Count), min: s.Min, max: s.Max}
	if s.Count == 0 {
		return new(Trend), nil
	}
	if s.Histogram == "" {
		t.over = s.Count
		return t, nil
	}
	h, err := hdr.Decode([]byte(s.Histogram))
	if err != nil {
		return nil, fmt.Errorf("read a histogram: %w", err)
	}
	// A histogram from elsewhere may have another range.
	t.open()
	if dropped := t.histogram.Merge(h); dropped > 0 {
		return nil, fmt.Errorf("read a histogram: it has %d samples beyond the range of a trend", dropped)
	}
	within := uint64(t.histogram.TotalCount())
	if within > s.Count {
		return nil, errors.New("read a histogram: it has more samples than its count says")
	}
	t.over = s.Count - within
	return t, nil
}
