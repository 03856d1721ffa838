package network

import (
	"fmt"
	"math"
)

// A Transport is how a person's media gets to the server and back.
type Transport string

const (
	UDP     Transport = "udp"
	TCP     Transport = "tcp"      // to a TCP candidate of the server (RFC 6544)
	TURNUDP Transport = "turn-udp" // over UDP to a TURN server (RFC 8656), and from there over UDP
	TURNTCP Transport = "turn-tcp" // over TCP to a TURN server, and from there over UDP
	TURNTLS Transport = "turn-tls" // over TLS to a TURN server, and from there over UDP
)

// Relayed reports whether media goes by a TURN server.
func (t Transport) Relayed() bool { return t == TURNUDP || t == TURNTCP || t == TURNTLS }

// ToTURN is how media gets to the TURN server, for people: "over TCP".
func (t Transport) ToTURN() string {
	switch t {
	case TURNTCP:
		return "over TCP"
	case TURNTLS:
		return "over TLS"
	}
	return "over UDP"
}

// Shares are how many of some people go by each transport, relative to one another. All of
// the zero Shares go by UDP.
type Shares struct{ UDP, TCP, TURNUDP, TURNTCP, TURNTLS int }

// MaxShare is the largest share.
const MaxShare = 100

// transportShare is a transport with its share.
type transportShare struct {
	transport Transport
	share     int
}

func (s Shares) list() [5]transportShare {
	return [5]transportShare{{UDP, s.UDP}, {TCP, s.TCP}, {TURNUDP, s.TURNUDP}, {TURNTCP, s.TURNTCP}, {TURNTLS, s.TURNTLS}}
}

// Transports are those that have a share.
func (s Shares) Transports() (all []Transport) {
	for _, t := range s.list() {
		if t.share > 0 {
			all = append(all, t.transport)
		}
	}
	if all == nil {
		return []Transport{UDP}
	}
	return all
}

// Problems are what is wrong with the shares.
func (s Shares) Problems() (problems []string) {
	for _, t := range s.list() {
		if t.share < 0 || t.share > MaxShare {
			problems = append(problems, fmt.Sprintf("the share of %s is %d: it can be 0 to %d", t.transport, t.share, MaxShare))
		}
	}
	return problems
}

// Of returns the transport of person n, from 0 on. Any number of successive people has the
// shares as nearly as can be.
func (s Shares) Of(n int) Transport {
	all, total := s.list(), s.UDP+s.TCP+s.TURNUDP+s.TURNTCP+s.TURNTLS
	if total <= 0 {
		return UDP
	}
	n %= total
	var had [len(all)]int
	for i := 0; ; i++ {
		// The transport that is furthest behind its share is next.
		next, most := 0, math.MinInt
		for k, t := range all {
			if behind := t.share*(i+1) - had[k]*total; t.share > 0 && behind > most {
				next, most = k, behind
			}
		}
		if i == n {
			return all[next].transport
		}
		had[next]++
	}
}
