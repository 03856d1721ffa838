package push

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields of remote write 1.0 ("Protocol").
const (
	writeTimeseries                 = 1
	seriesLabels, seriesSamples     = 1, 2
	labelName, labelValue           = 1, 2
	sampleValue, sampleMilliseconds = 1, 2
)

// A writeRequest is an encoded prometheus.WriteRequest, in the form in which the client takes
// messages.
type writeRequest []byte

// Size is the length of the message in bytes.
func (r writeRequest) Size() int { return len(r) }

// MarshalToSizedBuffer puts the message at the end of a buffer that is long enough.
func (r writeRequest) MarshalToSizedBuffer(b []byte) (int, error) {
	return copy(b[len(b)-len(r):], r), nil
}

// encodeWrite encodes series with the values that they have at a time.
func encodeWrite(all map[string]series, at time.Time) writeRequest {
	var request, one, part []byte
	for _, s := range all {
		one = one[:0]
		for _, l := range s.labels {
			part = protowire.AppendTag(part[:0], labelName, protowire.BytesType)
			part = protowire.AppendString(part, l.name)
			part = protowire.AppendTag(part, labelValue, protowire.BytesType)
			part = protowire.AppendString(part, l.value)
			one = protowire.AppendTag(one, seriesLabels, protowire.BytesType)
			one = protowire.AppendBytes(one, part)
		}
		part = protowire.AppendTag(part[:0], sampleValue, protowire.Fixed64Type)
		part = protowire.AppendFixed64(part, math.Float64bits(s.value))
		part = protowire.AppendTag(part, sampleMilliseconds, protowire.VarintType)
		part = protowire.AppendVarint(part, uint64(at.UnixMilli()))
		one = protowire.AppendTag(one, seriesSamples, protowire.BytesType)
		one = protowire.AppendBytes(one, part)
		request = protowire.AppendTag(request, writeTimeseries, protowire.BytesType)
		request = protowire.AppendBytes(request, one)
	}
	return request
}
