package speech

import (
	"fmt"
	"math"

	"github.com/thesyncim/gopus"
)

const (
	// encodeRate is the rate that audio is encoded at, in samples a second.
	encodeRate = 48_000
	// bitRate is that of the recordings that come with earshot, in bit/s.
	bitRate = 24_000
	// sincHalf is how many samples of the source on each side go into one that is
	// interpolated.
	sincHalf = 16
	// maxEncoded is longer than any packet of 20 ms at that rate (RFC 6716, section 3.2.1).
	maxEncoded = 1276
)

// encode encodes samples of a rate, in Opus packets of 20 ms. The last frame is filled up
// with silence. It encodes the same samples in the same way each time.
func encode(samples []float32, rate int) (packets [][]byte, err error) {
	samples = resample(samples, rate)
	encoder, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: encodeRate, Channels: 1, Application: gopus.ApplicationVoIP})
	if err != nil {
		return nil, fmt.Errorf("set up an Opus encoder: %w", err)
	}
	if err := encoder.SetBitrate(bitRate); err != nil {
		return nil, fmt.Errorf("set up an Opus encoder: %w", err)
	}
	one := make([]byte, maxEncoded)
	for len(samples) > 0 {
		var frame [samplesPerFrame]float32
		samples = samples[copy(frame[:], samples):]
		n, err := encoder.Encode(frame[:], one)
		if err != nil {
			return nil, fmt.Errorf("encode it: %w", err)
		}
		packets = append(packets, append([]byte(nil), one[:n]...))
	}
	return packets, nil
}

// longestPacket is how many samples a packet of Opus can hold: 120 ms.
const longestPacket = 6 * samplesPerFrame

// decode decodes packets of any length, in samples of encodeRate.
func decode(packets [][]byte) (samples []float32, err error) {
	decoder, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(encodeRate, 1))
	if err != nil {
		return nil, fmt.Errorf("set up an Opus decoder: %w", err)
	}
	one := make([]float32, longestPacket)
	for i, p := range packets {
		n, err := decoder.Decode(p, one)
		if err != nil {
			return nil, fmt.Errorf("audio packet %d can't be decoded, to be encoded in 20 ms: %w", i, err)
		}
		samples = append(samples, one[:n]...)
	}
	return samples, nil
}

// resample converts samples to encodeRate, by a windowed sinc for each of the places between
// two samples at which one is needed.
func resample(samples []float32, rate int) []float32 {
	if rate == encodeRate {
		return samples
	}
	divisor := gcd(rate, encodeRate)
	up, down := encodeRate/divisor, rate/divisor
	// Above the lower of both rates' halves nothing may stay, or it would come out as
	// something else.
	cutoff := min(1, float64(encodeRate)/float64(rate))
	half := int(math.Ceil(sincHalf / cutoff))
	kernels := make([][]float32, min(up, encodeRate))
	out := make([]float32, len(samples)*up/down)
	for i := range out {
		at := i * down
		phase := at % up
		if kernels[phase] == nil {
			kernels[phase] = sinc(float64(phase)/float64(up), cutoff, half)
		}
		var sum float32
		first := at/up - half + 1
		for k, weight := range kernels[phase] {
			if from := first + k; from >= 0 && from < len(samples) {
				sum += weight * samples[from]
			}
		}
		out[i] = sum
	}
	return out
}

// sinc is the weights of the samples around a place that is so far after one of them. They add
// up to 1.
func sinc(place, cutoff float64, half int) []float32 {
	weights := make([]float32, 2*half)
	values := make([]float64, 2*half)
	var sum float64
	for k := range values {
		x := float64(k-half+1) - place
		v := cutoff
		if y := math.Pi * x * cutoff; y != 0 {
			v = cutoff * math.Sin(y) / y
		}
		values[k] = v * (0.5 + 0.5*math.Cos(math.Pi*x/float64(half))) // Hann's window
		sum += values[k]
	}
	for k, v := range values {
		weights[k] = float32(v / sum)
	}
	return weights
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
