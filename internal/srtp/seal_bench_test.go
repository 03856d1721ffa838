package srtp

import (
	"encoding/binary"
	"fmt"
	"testing"
)

// BenchmarkSeal seals 80 bytes under one key, and under 5,000 in turn as a shard
// does, so that each schedule comes from memory.
func BenchmarkSeal(b *testing.B) {
	for _, p := range DefaultProfiles() {
		for _, keys := range []int{1, 5000} {
			b.Run(fmt.Sprintf("%v/keys=%d", p, keys), func(b *testing.B) {
				streams := make([]*Stream, keys)
				for i := range streams {
					streams[i] = must(open(must(NewSealer(p, randomBytes(p.KeyLen()), randomBytes(p.SaltLen()))), 9))
				}
				header, _ := testPacket(b, 0, 9, nil)
				payload, arena := randomBytes(80), make([]byte, 0, 64*256)
				b.ReportAllocs()
				b.ResetTimer()
				dst := arena
				for i := range b.N {
					binary.BigEndian.PutUint16(header[2:], uint16(i/keys))
					if cap(dst)-len(dst) < 256 {
						dst = arena
					}
					var err error
					if dst, err = streams[i%keys].Seal(dst, header, payload); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
