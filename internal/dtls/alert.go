package dtls

import (
	"errors"
	"fmt"
)

// The alerts that are sent (RFC 5246, section 7.2).
const (
	alertUnexpected       = 10
	alertHandshakeFailure = 40
	alertBadCertificate   = 42
	alertIllegalParameter = 47
	alertDecode           = 50
	alertDecrypt          = 51
	alertVersion          = 70
	alertInternal         = 80
)

// alertError is an error that the peer is told with an alert.
type alertError struct {
	alert byte
	error
}

// Unwrap gives what went wrong.
func (e *alertError) Unwrap() error { return e.error }

// malformed is the error for a message that can't be read.
func malformed(what string) error {
	return &alertError{alertDecode, fmt.Errorf("%w: its %s is malformed", ErrProtocol, what)}
}

// fail ends the handshake and tells the peer why, unless the peer said so itself.
func (h *Handshake) fail(err error) error {
	var told *alertError
	if errors.As(err, &told) {
		err = told.error
		h.send(h.alert(alertFatal, told.alert))
	}
	if errors.Is(err, ErrEnded) {
		h.send(h.alert(alertWarning, alertCloseNotify)) // RFC 5246, section 7.2.1 wants an answer
	}
	h.done()
	h.step = failed
	return err
}

// alert writes an alert: sealed, once this side has said that it seals.
func (h *Handshake) alert(level, description byte) []byte {
	body := []byte{level, description}
	if h.keys.nextSequence[1] > 0 {
		return h.keys.seal(nil, RecordAlert, body)
	}
	return h.keys.plain(nil, RecordAlert, body)
}
