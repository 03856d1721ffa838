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
