package srtp

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever order packets come in (late, lost, doubled, over rollovers), no
// initialisation vector is used for two packets, and a receiver opens all of
// those that were sealed in time.
func TestStreamUsesNoNonceTwice(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := DefaultProfiles()[seed%3]
		key, salt := randomBytes(p.KeyLen()), randomBytes(p.SaltLen())
		sealer, opener := must(NewSealer(p, key, salt)), must(NewOpener(p, key, salt))
		streams := []*Stream{must(open(sealer, 9)), must(open(sealer, 10)), must(open(sealer, 1<<31))}
		at := []int64{r.Int64N(1 << 15), r.Int64N(1 << 15), r.Int64N(1 << 15)}
		used := map[[16]byte]bool{}
		for range 5000 {
			i := r.IntN(len(streams))
			switch r.IntN(10) {
			case 0:
				at[i] += r.Int64N(3000)
			case 1, 2:
				at[i] -= r.Int64N(80)
			case 3: // the same once more
			default:
				at[i]++
			}
			header, plain := testPacket(t, uint16(at[i]), streams[i].SSRC(), []byte("speech"))
			sealed, err := streams[i].Seal(make([]byte, 0, 200), header, []byte("speech"))
			if err != nil {
				require.ErrorIs(t, err, ErrIndexUsed)
				continue
			}
			iv := streams[i].rtp.iv
			if p == CM128SHA1 {
				iv[14], iv[15] = 0, 0 // the block counter
			}
			require.False(t, used[iv], "seed %d, SSRC %d, packet %d", seed, streams[i].SSRC(), at[i])
			used[iv] = true
			got, _, err := opener.OpenRTP(sealed)
			require.NoError(t, err)
			require.Equal(t, plain, got)
		}
		require.Greater(t, len(used), 2000)
	}
}
