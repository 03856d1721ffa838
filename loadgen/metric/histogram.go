package metric

import (
	"fmt"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Histogram is the trend's histogram of thousandths of the unit, in the
// compressed V2 encoding of HdrHistogram (https://hdrhistogram.org) as base64,
// which the histograms of other runs can be added to in any of its languages. It
// is empty if no sample was from 0 to 60,000. Samples below 0 are in it as 0, and
// those above are not in it.
func (t *Trend) Histogram() (string, error) {
	if t.histogram == nil || t.histogram.Total() == 0 {
		return "", nil
	}
	all := hdr.New(1, trendMax, t.digits())
	for _, c := range t.histogram.Counters() {
		if err := all.RecordValues(c.Least, int64(c.Count)); err != nil {
			return "", fmt.Errorf("write a histogram: %w", err)
		}
	}
	text, err := all.Encode(hdr.V2CompressedEncodingCookieBase)
	return string(text), err
}

// A Bucket is how many samples of a histogram have about one value, in the metric's
// unit.
type Bucket struct {
	Value float64
	Count uint64
}

// maxHistogramBytes bounds the text of a histogram that is read. [Trend.Histogram]
// writes far less.
const maxHistogramBytes = 256 << 10

// ParseHistogram reads the text of [Trend.Histogram], the lowest bucket first.
func ParseHistogram(text string) ([]Bucket, error) {
	if len(text) > maxHistogramBytes {
		return nil, fmt.Errorf("a histogram of %d bytes is too long", len(text))
	}
	h, err := hdr.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("read a histogram: %w", err)
	}
	var buckets []Bucket
	for _, b := range h.Distribution() {
		if b.Count > 0 {
			buckets = append(buckets, Bucket{float64(b.To) / trendScale, uint64(b.Count)})
		}
	}
	return buckets, nil
}
