package mark

import "testing"

// What it takes to decode a packet and to find one mark in it.
func BenchmarkPacket(b *testing.B) {
	clip, err := clipOne()
	if err != nil {
		b.Fatal(err)
	}
	d, err := NewDetector(func(Finding) {})
	if err != nil {
		b.Fatal(err)
	}
	d.Codes([]*Code{codeOne()})
	i := 0
	for b.Loop() {
		i++
		if err := d.Packet(clip.Frames[i%Frames].Payload, func(int) (int, bool) { return (i + 1) * Hop, true }); err != nil {
			b.Fatal(err)
		}
	}
}

// What a search for a code takes, near where it is expected, and everywhere.
func BenchmarkSearch(b *testing.B) {
	for name, places := range map[string]int{"near": near + Hop, "everywhere": period} {
		b.Run(name, func(b *testing.B) {
			c, i := codeOne(), 0
			hops := hopsOf(c, 70_000)
			for b.Loop() {
				i += 997
				from := 70_000 - i%near
				if places == period {
					from = 0
				}
				if place, found := find(hops, c, from, places); !found || place != 70_000 {
					b.Fatal(place, found)
				}
			}
		})
	}
}
