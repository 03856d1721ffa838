package metric

import hdr "github.com/HdrHistogram/hdrhistogram-go"

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
