package lite

import (
	"errors"
	"fmt"
	"time"

	"github.com/earshot-audio/earshot/internal/dtls"
	"github.com/earshot-audio/earshot/internal/sdp"
	"github.com/earshot-audio/earshot/internal/srtp"
)

// handshake is a DTLS handshake. It takes what comes in through its pipe.
type handshake struct {
	pipe        *pipe
	client      bool
	config      *dtls.Config
	fingerprint sdp.Fingerprint // of the peer
	limit       *Limiter
}

// handshakeResult is what a completed handshake leaves behind.
type handshakeResult struct {
	keys srtp.MasterKeys
	dtls *dtls.Session
}

// run performs the handshake. Datagrams that it did not read are left in the pipe.
func (h *handshake) run() (*handshakeResult, error) {
	release, err := h.limit.acquire(h.pipe.closed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	defer release()
	defer h.pipe.releaseCPUSlot()
	d := h.config.NewHandshake(h.verify, h.pipe.send)
	if err := h.complete(d); err != nil {
		switch {
		case errors.Is(err, ErrFingerprint):
			return nil, ErrFingerprint
		case errors.Is(err, dtls.ErrEnded):
			return nil, ErrPeerClosed
		}
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	profile := srtp.Profile(d.Profile())
	material := make([]byte, 2*(profile.KeyLen()+profile.SaltLen()))
	d.Export(material)
	return &handshakeResult{keys: srtp.SplitMasterKeys(profile, material, h.client), dtls: d.Session()}, nil
}

// complete drives a handshake to its end.
func (h *handshake) complete(d *dtls.Handshake) error {
	if h.client {
		d.Start(time.Now())
	}
	late := time.NewTimer(time.Hour)
	defer late.Stop()
	for d.Session() == nil {
		if at := d.Deadline(); at.IsZero() {
			late.Stop()
		} else {
			late.Reset(time.Until(at))
		}
		b, err := h.pipe.read(late.C)
		switch {
		case err != nil:
			return err
		case b == nil && h.pipe.takeHurry():
			d.Hurry(time.Now())
		case b == nil:
			d.Timeout(time.Now())
		default:
			if err := d.Handle(b, time.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// verify compares the peer's certificate with the fingerprint of its SDP. That is all
// that counts of a certificate (RFC 8827, section 5).
func (h *handshake) verify(der []byte) error {
	if !h.fingerprint.Matches(der) {
		return ErrFingerprint
	}
	return nil
}

// newDTLSConfig configures the handshakes of an endpoint.
func newDTLSConfig(client bool, c *Certificate, profiles []srtp.Profile) (*dtls.Config, error) {
	offered := make([]uint16, len(profiles))
	for i, p := range profiles {
		offered[i] = uint16(p)
	}
	return dtls.NewConfig(client, c.tls, offered)
}
