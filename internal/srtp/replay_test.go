package srtp

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What of a long stream is opened once is opened whatever came before it, if it is not too old.
func TestReplayWindowKnowsEachOfTheLastPackets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var w replayWindow
	seen := map[uint64]bool{}
	highest := uint64(1<<16 - 3)
	for range 200_000 {
		index := highest + uint64(random.IntN(3))
		switch {
		case random.IntN(500) == 0:
			index += uint64(random.IntN(3 * ReplayWindow)) // many are lost
		case random.IntN(3) == 0:
			index = highest - uint64(random.IntN(ReplayWindow+1))
		}
		require.Equal(t, !seen[index], w.fresh(index), "%d, the highest is %d", index, highest)
		if !seen[index] {
			w.mark(index)
			seen[index], highest = true, max(highest, index)
		}
		got, ok := w.extend(uint16(index))
		require.True(t, ok)
		require.Equal(t, index, got)
		require.False(t, w.fresh(highest-64*replayWords), "it is too old to tell")
	}
}

func TestOpenTakesAPacketThatIsLateByFiveSeconds(t *testing.T) {
	for _, p := range DefaultProfiles() {
		key, salt := randomBytes(p.KeyLen()), randomBytes(p.SaltLen())
		st, opener := must(open(must(NewSealer(p, key, salt)), 9)), must(NewOpener(p, key, salt))
		var late []byte
		for seq := range uint16(251) {
			h, _ := testPacket(t, seq, 9, nil)
			sealed := must(st.Seal(make([]byte, 0, 300), h, []byte("speech")))
			if seq == 0 {
				late = sealed
				continue
			}
			_, _, err := opener.OpenRTP(sealed)
			require.NoError(t, err)
		}
		_, index, err := opener.OpenRTP(bytes.Clone(late))
		require.NoError(t, err)
		assert.Zero(t, index)
		_, _, err = opener.OpenRTP(late)
		assert.ErrorIs(t, err, ErrReplayed)
	}
}
