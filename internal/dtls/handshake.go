package dtls

import (
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"hash"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// Errors of a handshake, to be compared with errors.Is. An error of Config's verify
// function is wrapped, too.
var (
	// ErrEnded says that the peer, which has the keys, ended the session.
	ErrEnded = errors.New("the peer ended the session")
	// ErrRefused says that the peer refused the handshake with an alert.
	ErrRefused = errors.New("the peer refused the handshake")
	// ErrProtocol says that the peer breaks the protocol, or has nothing in common
	// with this side.
	ErrProtocol = errors.New("DTLS with this peer is not possible")
)

const (
	// A flight is sent again when its answer is late (RFC 6347, section 4.2.4.1
	// recommends a second and allows less; a peer that joins should not wait for it).
	firstInterval = 500 * time.Millisecond
	lastInterval  = 60 * time.Second
	// helloAgain is how long after [Handshake.Hurry] a hello without an answer is sent again: as early as
	// Chromium does.
	helloAgain = 50 * time.Millisecond

	// maxEarly is how many sealed records are kept that came before their keys.
	maxEarly = 4
	// maxEarlyLength is how long such a record may be: a Finished or an alert.
	maxEarlyLength = 256
)

// Config is what the handshakes of an endpoint share. It must not be copied.
type Config struct {
	client      bool
	certificate []byte
	key         crypto.Signer
	profiles    []uint16
	keys        keyCache
}

// NewConfig makes the configuration of a client's or a server's handshakes. The
// certificate's key has to be ECDSA on P-256. The SRTP profiles are those of RFC
// 5764, in order of preference.
func NewConfig(client bool, certificate tls.Certificate, profiles []uint16) (*Config, error) {
	key, ok := certificate.PrivateKey.(crypto.Signer)
	if !ok || len(certificate.Certificate) == 0 || len(profiles) == 0 {
		return nil, errors.New("DTLS needs a certificate with its key, and an SRTP profile")
	}
	return &Config{client: client, certificate: certificate.Certificate[0], key: key, profiles: profiles}, nil
}

// step is whose message a handshake waits for.
type step byte

const (
	awaitClientHello step = iota // the server's steps
	awaitClientCertificate
	awaitClientKeyExchange
	awaitCertificateVerify
	awaitClientFinished

	awaitServerHello // the client's steps
	awaitServerCertificate
	awaitServerKeyExchange
	awaitCertificateRequest // or the end of the hello
	awaitServerHelloDone
	awaitServerFinished

	complete
	failed
)

// Handshake is one side of a handshake. It is not safe for concurrent use. Its private
// methods are one for each message and each step of both roles: they share what was said
// so far.
type Handshake struct {
	cfg    *Config
	verify func(der []byte) error
	send   func(datagram []byte)

	step       step
	incoming   reassembly
	transcript []byte // all messages so far, as RFC 6347, section 4.2.6 hashes them
	early      [][]byte

	flight   flight
	hurried  bool
	interval time.Duration
	deadline time.Time

	transmitted time.Time // the flight, the last time
	repeats     int       // of the flight, because the peer repeated its own

	clientRandom, serverRandom [randomLength]byte
	cookies                    int // HelloVerifyRequests that came
	suite                      uint16
	profile                    uint16
	extendedMaster             bool
	wantsCertificate           bool // the server does
	peerKey                    crypto.PublicKey
	private                    *ecdh.PrivateKey
	peerShare                  *ecdh.PublicKey
	keyed                      hash.Hash // with the master secret, once it is there
	keys                       keys
	finished                   []byte // the server's, for the session
}

// NewHandshake makes a handshake. The peer's certificate goes to verify before
// anything that it signed is believed. send gets what is to be sent, and keeps
// nothing of it.
func (c *Config) NewHandshake(verify func(der []byte) error, send func(datagram []byte)) *Handshake {
	return &Handshake{cfg: c, verify: verify, send: send, interval: firstInterval}
}

// Start begins a client's handshake. A server's begins with what the client sends.
func (h *Handshake) Start(now time.Time) {
	_, _ = rand.Read(h.clientRandom[:]) // never fails
	h.step = awaitServerHello
	h.sendHello(nil, now)
}

// Deadline is when Timeout is due; zero for never.
func (h *Handshake) Deadline() time.Time { return h.deadline }

// Hurry is for a client whose server may not have taken its hello, because it was not ready for any: the
// hello is sent again soon, once, unless there is an answer to it by then.
func (h *Handshake) Hurry(now time.Time) {
	if h.step != awaitServerHello || h.hurried {
		return
	}
	h.hurried = true
	if soon := now.Add(helloAgain); soon.Before(h.deadline) {
		h.deadline, h.interval = soon, firstInterval/2
	}
}

// Timeout sends the last flight again, if its answer is late.
func (h *Handshake) Timeout(now time.Time) {
	if h.deadline.IsZero() || now.Before(h.deadline) {
		return
	}
	h.interval = min(2*h.interval, lastInterval)
	h.transmit(now)
}

// Session gives the session of a handshake that is complete; otherwise nil.
func (h *Handshake) Session() *Session {
	if h.step != complete {
		return nil
	}
	return &Session{keys: h.keys, finished: h.finished}
}

// Profile gives the SRTP profile of a handshake that is complete.
func (h *Handshake) Profile() uint16 { return h.profile }

// Export fills in the material of the SRTP keys of a handshake that is complete (RFC
// 5764, section 4.2).
func (h *Handshake) Export(material []byte) {
	expand(h.keyed, material, labelExporter, h.clientRandom[:], h.serverRandom[:])
}

// Handle takes a datagram. It returns an error if the handshake has failed, which the
// peer is told.
func (h *Handshake) Handle(datagram []byte, now time.Time) error {
	repeated := false
	for r := range Records(datagram) {
		var err error
		switch {
		case h.step == failed:
			return nil
		case h.step == complete && r.Epoch == 0: // a repetition, in the datagram that completed it
		case r.Epoch == 1 && h.keyed != nil:
			err = h.handleSealed(r, now)
		case r.Epoch == 1 && len(h.early) < maxEarly && len(r.Raw) <= maxEarlyLength:
			h.early = append(h.early, append([]byte(nil), r.Raw...))
		case r.Epoch != 0:
		case r.Kind == RecordHandshake:
			var again bool
			again, err = h.handleFragments(r.Body, false, now)
			repeated = repeated || again
		case r.Kind == RecordAlert && len(r.Body) == 2 && endsSession(r.Body):
			err = fmt.Errorf("%w: alert %d", ErrRefused, r.Body[1])
		}
		if err != nil {
			return h.fail(err)
		}
	}
	if repeated && h.step < complete {
		h.repeat(now)
	}
	return nil
}

// handleSealed takes a record of epoch 1.
func (h *Handshake) handleSealed(r Record, now time.Time) error {
	plain, ok := h.keys.open(r)
	switch {
	case !ok: // nobody's who has the keys
	case r.Kind == RecordAlert && endsSession(plain):
		return ErrEnded
	case r.Kind == RecordHandshake && h.step != complete:
		_, err := h.handleFragments(plain, true, now)
		return err
	}
	return nil
}

// openEarly takes the records that came before their keys.
func (h *Handshake) openEarly(now time.Time) error {
	early := h.early
	h.early = nil
	for _, b := range early {
		for r := range Records(b) {
			if err := h.handleSealed(r, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// handleFragments takes the fragments of a record. It reports whether the peer
// repeats a flight that had come. Only a Finished is sealed, and once there are keys
// nothing else is taken.
func (h *Handshake) handleFragments(body []byte, sealed bool, now time.Time) (repeated bool, err error) {
	for s := cryptobyte.String(body); !s.Empty() && h.step < complete; {
		f, ok := readFragment(&s)
		switch {
		case !ok:
			return repeated, nil // a damaged record is discarded (RFC 6347, section 4.1.2.7)
		case f.seq < h.incoming.next:
			repeated = true
			continue
		case sealed != (h.keyed != nil) || sealed != (f.kind == messageFinished):
			continue
		case h.incoming.inTurn(&f): // as nearly all are
			err = h.handleMessage(f.kind, f.body, now)
		default:
			h.incoming.add(&f)
		}
		for err == nil && h.step < complete {
			kind, body, ok := h.incoming.take()
			if !ok {
				break
			}
			err = h.handleMessage(kind, body, now)
		}
		if err != nil {
			return repeated, err
		}
	}
	return repeated, nil
}

// handleMessage takes the message whose turn it is.
func (h *Handshake) handleMessage(kind byte, body []byte, now time.Time) error {
	seq := h.incoming.next - 1
	handle := h.handler(kind)
	if handle == nil {
		return &alertError{alertUnexpected, fmt.Errorf("%w: message %d came out of turn", ErrProtocol, kind)}
	}
	if kind != messageHelloVerify && kind != messageFinished && kind != messageCertificateVerify { // which are about those before
		h.record(kind, seq, body)
	}
	return handle(body, seq, now)
}

// handler gives what takes a kind of message now, if it is its turn.
func (h *Handshake) handler(kind byte) func(body []byte, seq uint16, now time.Time) error {
	switch {
	case h.step == awaitClientHello && kind == messageClientHello:
		return h.handleClientHello
	case h.step == awaitClientCertificate && kind == messageCertificate:
		return h.handleCertificate
	case h.step == awaitClientKeyExchange && kind == messageClientKeyExchange:
		return h.handleClientKeyExchange
	case h.step == awaitCertificateVerify && kind == messageCertificateVerify:
		return h.handleCertificateVerify
	case h.step == awaitClientFinished && kind == messageFinished:
		return h.handleClientFinished
	case h.step == awaitServerHello && kind == messageHelloVerify:
		return h.handleHelloVerify
	case h.step == awaitServerHello && kind == messageServerHello:
		return h.handleServerHello
	case h.step == awaitServerCertificate && kind == messageCertificate:
		return h.handleCertificate
	case h.step == awaitServerKeyExchange && kind == messageServerKeyExchange:
		return h.handleServerKeyExchange
	case h.step == awaitCertificateRequest && kind == messageCertificateRequest:
		return h.handleCertificateRequest
	case (h.step == awaitCertificateRequest || h.step == awaitServerHelloDone) && kind == messageServerHelloDone:
		return h.handleServerHelloDone
	case h.step == awaitServerFinished && kind == messageFinished:
		return h.handleServerFinished
	}
	return nil
}

// record adds a message to the transcript, as one that was not fragmented.
func (h *Handshake) record(kind byte, seq uint16, body []byte) {
	h.transcript = appendMessageHeader(h.transcript, kind, len(body), seq, 0, len(body))
	h.transcript = append(h.transcript, body...)
}

// handleCertificate takes the peer's certificate, which is verified before anything
// that it signed is.
func (h *Handshake) handleCertificate(body []byte, _ uint16, _ time.Time) error {
	der, ok := readCertificate(body)
	if !ok {
		return malformed("certificate")
	}
	if der == nil {
		return &alertError{alertHandshakeFailure, fmt.Errorf("%w: it shows no certificate", ErrProtocol)}
	}
	if err := h.verify(der); err != nil {
		return &alertError{alertBadCertificate, err}
	}
	key, err := h.cfg.keys.key(der)
	if err != nil {
		return &alertError{alertBadCertificate, err}
	}
	h.peerKey = key
	if h.step++; h.step == awaitServerKeyExchange && !fits(h.suite, key) {
		return &alertError{alertIllegalParameter, fmt.Errorf("%w: its certificate does not fit the cipher suite", ErrProtocol)}
	}
	return nil
}

// deriveKeys makes the master secret and what comes of it.
func (h *Handshake) deriveKeys() error {
	premaster, err := h.private.ECDH(h.peerShare)
	if err != nil {
		return &alertError{alertIllegalParameter, fmt.Errorf("%w: %w", ErrProtocol, err)}
	}
	h.private = nil
	var master [masterLength]byte
	if h.extendedMaster {
		session := sha256.Sum256(h.transcript)
		expand(secretHash(premaster), master[:], labelExtendedMaster, session[:], nil)
	} else {
		expand(secretHash(premaster), master[:], labelMaster, h.clientRandom[:], h.serverRandom[:])
	}
	h.keyed = secretHash(master[:])
	h.keys.derive(h.keyed, h.cfg.client, h.clientRandom[:], h.serverRandom[:])
	return nil
}

// finish is what a Finished says now.
func (h *Handshake) finish(label string) []byte {
	all := sha256.Sum256(h.transcript)
	b := make([]byte, finishedLength)
	expand(h.keyed, b, label, all[:], nil)
	return b
}

// done ends a handshake that is complete.
func (h *Handshake) done() {
	h.step, h.deadline = complete, time.Time{}
	h.transcript, h.flight.messages, h.early, h.incoming = nil, nil, nil, reassembly{}
}
