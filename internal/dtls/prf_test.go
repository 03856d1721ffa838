package dtls

import (
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExpandMatchesPion(t *testing.T) {
	master, first, second := randomBytes(masterLength), randomBytes(32), randomBytes(32)
	keyed := secretHash(master)
	for _, n := range []int{1, 31, 32, 33, 56, 64, 88, 200} {
		for _, label := range []string{labelKeys, labelExporter, ""} {
			want, err := prf.PHash(master, slices.Concat([]byte(label), first, second), n, sha256.New)
			require.NoError(t, err)
			got := make([]byte, n)
			expand(keyed, got, label, first, second)
			require.Equal(t, want, got, "%d bytes, %q", n, label)
		}
	}
}

func TestKeysMatchPion(t *testing.T) {
	master, clientRandom, serverRandom := randomBytes(masterLength), randomBytes(32), randomBytes(32)
	for _, client := range []bool{true, false} {
		want, err := prf.GenerateEncryptionKeys(master, clientRandom, serverRandom, 0, 16, 4, sha256.New)
		require.NoError(t, err)
		var k keys
		k.derive(secretHash(master), client, clientRandom, serverRandom)
		if !client {
			want.ClientWriteKey, want.ServerWriteKey = want.ServerWriteKey, want.ClientWriteKey
			want.ClientWriteIV, want.ServerWriteIV = want.ServerWriteIV, want.ClientWriteIV
		}
		assert.Equal(t, want.ClientWriteKey, k.writeKey[:])
		assert.Equal(t, want.ServerWriteKey, k.readKey[:])
		assert.Equal(t, want.ClientWriteIV, k.writeIV[:])
		assert.Equal(t, want.ServerWriteIV, k.readIV[:])
	}
}
