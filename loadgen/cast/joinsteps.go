package cast

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/earshot-audio/earshot/loadgen/client"
	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/record"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// A connectionTrace enters the steps by which a listener's first connection to the server
// is opened. It is safe for concurrent use: HTTP clients open connections in goroutines of
// their own.
type connectionTrace struct {
	clock   *timebase.Clock
	account *ledger.Listener

	mu     sync.Mutex
	got    bool // there is a connection: what is opened now is for somebody else
	shared bool // it was open before
}

// traceConnection has the steps entered into the listener's account. It works for every
// driver: HTTP clients and WebSockets report to the context.
func traceConnection(ctx context.Context, clock *timebase.Clock, account *ledger.Listener) context.Context {
	t := &connectionTrace{clock: clock, account: account}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { t.began(record.StepDNS) },
		DNSDone:           func(i httptrace.DNSDoneInfo) { t.ended(record.StepDNS, i.Err) },
		ConnectStart:      func(_, _ string) { t.began(record.StepTCP) },
		ConnectDone:       func(_, _ string, err error) { t.ended(record.StepTCP, err) },
		TLSHandshakeStart: func() { t.began(record.StepTLS) },
		TLSHandshakeDone:  func(_ tls.ConnectionState, err error) { t.ended(record.StepTLS, err) },
		GotConn:           func(i httptrace.GotConnInfo) { t.gotConnection(i.Reused) },
	})
}

// ignores reports whether a step is not of the listener's own connection. A WebSocket
// begins TLS when it has its connection. t.mu is held.
func (t *connectionTrace) ignores(s record.Step) bool {
	return t.shared || t.got && s != record.StepTLS
}

func (t *connectionTrace) began(s record.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ignores(s) {
		t.account.StepBegan(s, t.clock.Now())
	}
}

func (t *connectionTrace) ended(s record.Step, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ignores(s) && err == nil {
		t.account.StepEnded(s, t.clock.Now())
	}
}

// gotConnection ends the steps, if the connection is one that another client's request
// has opened meanwhile, and takes them back if it was open before.
func (t *connectionTrace) gotConnection(shared bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.got {
		return // of a later request
	}
	t.got, t.shared = true, shared
	if shared {
		t.account.ConnectionShared()
		return
	}
	now := t.clock.Now()
	for s := record.StepDNS; s <= record.StepTLS; s++ {
		t.account.StepEnded(s, now)
	}
}

// recordSteps enters the steps of a join from the server's answer on.
func (p *person) recordSteps(answered time.Duration, connected client.Connected) {
	if p.account == nil {
		return
	}
	p.account.StepEnded(record.StepSignaling, answered)
	p.account.StepBegan(record.StepICE, answered)
	if connected.ICE == 0 {
		return
	}
	p.account.StepEnded(record.StepICE, connected.ICE)
	p.account.StepBegan(record.StepDTLS, max(answered, connected.ICE))
	if connected.DTLS != 0 {
		p.account.StepEnded(record.StepDTLS, connected.DTLS)
	}
}
