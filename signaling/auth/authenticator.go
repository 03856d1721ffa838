package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// Config holds what an [Authenticator] needs. All fields but Open and
// the operator's are required.
type Config struct {
	// Open accepts requests without a token.
	Open bool
	// OperatorToken is the operator's secret; empty: there is no operator.
	OperatorToken string
	// OperatorDigest is its SHA-256, if the token itself is not given.
	OperatorDigest []byte
	// Key signs tokens with HMAC-SHA-256.
	Key []byte
	// TokenTTL is the lifetime of a session token, RefreshTTL that of a refresh
	// token.
	TokenTTL, RefreshTTL time.Duration
	// Store holds the accounts.
	Store *store.Store
	Clock func() time.Time
}

// Authenticator checks and issues tokens. It is safe for concurrent use.
type Authenticator struct {
	cfg      Config
	operator []byte // SHA-256 of the operator's token; nil: there is none
	parser   *jwt.Parser
}

// New returns an authenticator.
func New(cfg Config) *Authenticator {
	a := &Authenticator{cfg: cfg, operator: cfg.OperatorDigest}
	if cfg.OperatorToken != "" {
		sum := sha256.Sum256([]byte(cfg.OperatorToken))
		a.operator = sum[:]
	}
	a.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(tokenIssuer),
		jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(cfg.Clock),
	)
	return a
}

// Authenticate returns the principal of a session token. An open server accepts
// a request without a token, as the zero principal. A token that is not valid is
// refused on every server with [wire.CodeUnauthorized], so that a client learns
// of it. Authenticate reads memory only.
func (a *Authenticator) Authenticate(token string) (Principal, error) {
	if token == "" {
		if a.cfg.Open {
			return Principal{}, nil
		}
		return Principal{}, wire.NewError(wire.CodeUnauthorized, "")
	}
	// The hash makes the comparison take the same time for any length and content.
	sum := sha256.Sum256([]byte(token))
	if a.operator != nil && subtle.ConstantTimeCompare(sum[:], a.operator) == 1 {
		return Principal{Operator: true, Invited: true}, nil
	}
	c, err := a.parse(token, useSession)
	if err != nil {
		return Principal{}, err
	}
	return c.Principal(), nil
}

// ParseRefresh returns the claims of a refresh token.
func (a *Authenticator) ParseRefresh(token string) (Claims, error) {
	if len(token) > wire.MaxToken {
		return Claims{}, errInvalidToken
	}
	return a.parse(token, useRefresh)
}

var errInvalidToken = wire.NewError(wire.CodeUnauthorized, "the token is not valid")

// parse verifies a signed token of the given use and returns its claims.
func (a *Authenticator) parse(token, use string) (Claims, error) {
	var c Claims
	_, err := a.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return a.cfg.Key, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Claims{}, wire.NewError(wire.CodeUnauthorized, "the token has expired")
	case err != nil, c.Use != use, !c.valid():
		return Claims{}, errInvalidToken
	}
	if c.Subject != "" {
		account, err := a.cfg.Store.Account(c.Subject)
		if err != nil || account.Login < c.Login {
			// Signed here or by another server of the cluster, whose login is not known here yet.
			// An error leaves what is known.
			_ = a.cfg.Store.RefreshAccount(context.Background(), c.Subject)
			account, err = a.cfg.Store.Account(c.Subject)
		}
		if err != nil || account.Login != c.Login {
			return Claims{}, wire.NewError(wire.CodeUnauthorized, "the account has logged in elsewhere")
		}
		if c.Room == "" {
			c.Name = account.Name // in a room they may go by another
		}
	}
	return c, nil
}
