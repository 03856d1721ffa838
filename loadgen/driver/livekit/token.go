package livekit

import (
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// keys are an API key and its secret.
type keys struct{ key, secret string }

// tokenTTL is longer than any run: a server asks for the token again only of those who
// reconnect.
const tokenTTL = 24 * time.Hour

// A grant is what a token allows. What is nil, a server takes for allowed.
type grant struct {
	RoomCreate     bool   `json:"roomCreate,omitempty"`
	RoomAdmin      bool   `json:"roomAdmin,omitempty"`
	RoomJoin       bool   `json:"roomJoin,omitempty"`
	Room           string `json:"room,omitempty"`
	CanPublish     *bool  `json:"canPublish,omitempty"`
	CanSubscribe   *bool  `json:"canSubscribe,omitempty"`
	CanPublishData *bool  `json:"canPublishData,omitempty"`
}

// A claim is a token's content.
type claim struct {
	jwt.RegisteredClaims

	Name  string `json:"name,omitempty"`
	Video grant  `json:"video"`
}

// token makes a token for an identity; "" is nobody's.
func (k keys) token(identity string, g grant) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claim{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: k.key, Subject: identity,
			// A server's clock may be behind by some.
			NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)), ExpiresAt: jwt.NewNumericDate(now.Add(tokenTTL)),
		},
		Name: identity, Video: g,
	}).SignedString([]byte(k.secret))
}

// joining is what a person's token allows: to come into a room, and there to send or to
// receive.
func joining(room string, sends bool) grant {
	no, receives := false, !sends
	return grant{RoomJoin: true, Room: room, CanPublish: &sends, CanSubscribe: &receives, CanPublishData: &no}
}
