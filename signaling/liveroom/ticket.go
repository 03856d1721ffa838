package liveroom

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// resumeKey returns the secret with which one member of one room resumes. It is
// derived from the server's key, so that it need not be stored and is valid for as
// long as that key is.
func resumeKey(key []byte, room, member string) string {
	mac := hmac.New(sha256.New, key)
	// Neither holds a zero byte, so no two pairs have the same text.
	mac.Write([]byte("resume\x00" + room + "\x00" + member))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// validResumeKey reports in constant time whether a request has the right key.
func validResumeKey(key []byte, m wire.Resume) bool {
	return hmac.Equal([]byte(m.Key), []byte(resumeKey(key, m.Room, m.Member)))
}
