package signaling

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// ticketKey is the secret with which one member of one room resumes. It follows
// from the server's key, so that nothing has to be kept for it and it outlives the
// process as far as the key does.
func ticketKey(key []byte, room, member string) string {
	mac := hmac.New(sha256.New, key)
	// Neither holds a zero byte, so that no two pairs look alike.
	mac.Write([]byte("resume\x00" + room + "\x00" + member))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// ticket returns what a member needs to resume.
func (l *live) ticket(p *person) wire.Ticket {
	return wire.Ticket{
		Key:     ticketKey(l.hub.cfg.Key, l.id, string(p.id)),
		WindowS: int(l.rules.Config().ReconnectWindow / time.Second),
	}
}

// fits tells whether a ticket is the right one, in a time that says nothing.
func fits(key []byte, m wire.Resume) bool {
	return hmac.Equal([]byte(m.Key), []byte(ticketKey(key, m.Room, m.Member)))
}
