package rtc

import (
	"errors"

	"github.com/earshot-audio/earshot/internal/sdp"
)

var (
	// ErrBadOffer says that an SDP offer can't be answered; the error that
	// wraps it names the place and the reason, and quotes nothing but the offer.
	ErrBadOffer = sdp.ErrInvalid
	// ErrNoAudio says that an offer has no audio section that a mic or an ear
	// could use: Opus, bundled, in the right direction.
	ErrNoAudio = sdp.ErrNoAudio
	// ErrBadFragment says that a trickle-ICE fragment can't be read.
	ErrBadFragment = errors.New("bad ICE fragment")
	// ErrRestart says that a trickle-ICE fragment is of another ICE session than the
	// present one: Session.Restart begins another.
	ErrRestart = errors.New("the ICE credentials are not those of the session")
	// ErrClosed says that the engine, the room or the session was closed by
	// this side.
	ErrClosed = errors.New("closed")

	// ErrHangup is the reason of a session that the client ended (DTLS
	// close_notify).
	ErrHangup = errors.New("the client ended the connection")
	// ErrConsentLost is the reason of a session whose client has sent no
	// authenticated ICE check for the consent timeout.
	ErrConsentLost = errors.New("the client is gone: no ICE check came in time")
	// ErrNeverConnected is the reason of a session whose client did not
	// complete ICE and DTLS within the consent timeout.
	ErrNeverConnected = errors.New("the client did not connect in time")
	// ErrHandshake is the reason of a session whose DTLS handshake failed, or
	// was broken off by the client.
	ErrHandshake = errors.New("the DTLS handshake failed")
	// ErrTooManySources is the reason of a mic whose client has sent, or reported on,
	// more SSRCs than a mic has use for.
	ErrTooManySources = errors.New("the client used too many SSRCs")
)
