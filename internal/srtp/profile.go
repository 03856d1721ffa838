package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
)

// Profile is an SRTP protection profile, by its number in the DTLS use_srtp
// extension (RFC 5764, section 4.1.2; RFC 7714, section 14.2).
type Profile uint16

// The profiles that the package supports.
const (
	CM128SHA1 Profile = 0x0001
	GCM128    Profile = 0x0007
	GCM256    Profile = 0x0008
)

// DefaultProfiles are all profiles, the cheapest to seal first.
func DefaultProfiles() []Profile { return []Profile{GCM128, GCM256, CM128SHA1} }

// String gives the name in the IANA registry.
func (p Profile) String() string {
	switch p {
	case CM128SHA1:
		return "SRTP_AES128_CM_HMAC_SHA1_80"
	case GCM128:
		return "SRTP_AEAD_AES_128_GCM"
	case GCM256:
		return "SRTP_AEAD_AES_256_GCM"
	}
	return fmt.Sprintf("SRTP profile %#04x", uint16(p))
}

// KeyLen is the length of the master key in bytes, 0 for an unknown profile.
func (p Profile) KeyLen() int {
	switch p {
	case CM128SHA1, GCM128:
		return 16
	case GCM256:
		return 32
	}
	return 0
}

// SaltLen is the length of the master salt in bytes, 0 for an unknown profile.
func (p Profile) SaltLen() int {
	switch p {
	case CM128SHA1:
		return 14
	case GCM128, GCM256:
		return 12
	}
	return 0
}

// tagLen is the length of the authentication tag in bytes.
func (p Profile) tagLen() int {
	if p == CM128SHA1 {
		return 10
	}
	return 16
}

// Labels of the key derivation (RFC 3711, section 4.3.1).
const (
	labelRTPKey  = 0
	labelRTPAuth = 1
	labelRTPSalt = 2
	labelRTCPKey = 3 // and 4 and 5, in the same order
)

// derivation makes session keys from a master key and salt.
type derivation struct {
	profile Profile
	block   cipher.Block // of the master key
	salt    []byte
}

func newDerivation(p Profile, key, salt []byte) (*derivation, error) {
	if err := p.check(key, salt); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &derivation{profile: p, block: block, salt: salt}, nil
}

// key makes a session key of n bytes, with a key derivation rate of zero (RFC
// 3711, section 4.3; RFC 7714, section 11 fills a shorter salt with zeros on the
// right).
func (d *derivation) key(label byte, n int) []byte {
	var in [aes.BlockSize]byte
	copy(in[:], d.salt)
	in[7] ^= label
	out := make([]byte, 0, (n+aes.BlockSize-1)/aes.BlockSize*aes.BlockSize)
	for i := uint16(0); len(out) < n; i++ {
		binary.BigEndian.PutUint16(in[14:], i)
		out = out[:len(out)+aes.BlockSize]
		d.block.Encrypt(out[len(out)-aes.BlockSize:], in[:])
	}
	return out[:n]
}

// MasterKeys are the keys of one session, as the DTLS exporter gives them.
type MasterKeys struct {
	Profile               Profile
	LocalKey, LocalSalt   []byte // what this side seals with
	RemoteKey, RemoteSalt []byte // what the other side seals with
}

// SplitMasterKeys takes the exporter's material apart: client key, server key,
// client salt, server salt (RFC 5764, section 4.2).
func SplitMasterKeys(p Profile, material []byte, client bool) MasterKeys {
	k, s := p.KeyLen(), p.SaltLen()
	keys := MasterKeys{
		Profile:  p,
		LocalKey: material[:k], LocalSalt: material[2*k : 2*k+s],
		RemoteKey: material[k : 2*k], RemoteSalt: material[2*k+s : 2*k+2*s],
	}
	if !client {
		keys.LocalKey, keys.RemoteKey = keys.RemoteKey, keys.LocalKey
		keys.LocalSalt, keys.RemoteSalt = keys.RemoteSalt, keys.LocalSalt
	}
	return keys
}

// check says what is wrong with a master key.
func (p Profile) check(key, salt []byte) error {
	if p.KeyLen() == 0 {
		return fmt.Errorf("%v is not supported: use %v", p, DefaultProfiles())
	}
	if len(key) != p.KeyLen() || len(salt) != p.SaltLen() {
		return fmt.Errorf("%v takes a key of %d bytes and a salt of %d, not %d and %d",
			p, p.KeyLen(), p.SaltLen(), len(key), len(salt))
	}
	return nil
}
