package auth

import (
	"net/netip"
)

// Limit allows Rate events a second on average, and Burst at once.
type Limit struct {
	Rate  float64
	Burst int
}

// Limits bound how often a client may do what costs the server work or could be
// used to guess secrets. Each kind is counted by address and by account. An IPv6
// /64 counts as one address, because one customer has all of it. Members are
// counted by their account, others by their token. A zero value stands for the
// default given here.
type Limits struct {
	// SignIn counts, by address, redeeming and looking up invites, logins and refreshes
	// that fail, for what they bring is no good; by account, logins and refreshes.
	// Default by address 5/s, 100 at once; by account 0.2/s, 20 at once.
	SignInByAddress, SignInByAccount Limit
	// Create counts new rooms and invites. The operator is not counted. Default by
	// address 2/s, 60 at once; by account 0.1/s, 20 at once.
	CreateByAddress, CreateByAccount Limit
	// Request counts all requests to the API but new rooms and invites, sign-ins included. Default by address 50/s, 500
	// at once.
	RequestByAddress Limit
	// Connect counts WebSocket connections. Default by address 20/s, 300 at once.
	ConnectByAddress Limit
	// Message counts messages on WebSockets. Default by address 500/s, 2,000 at
	// once; by connection 20/s, 100 at once.
	MessageByAddress, MessageBySession Limit
	// Offer counts offers of mics and ears over WebSockets, WHIP and WHEP. Default
	// by address 20/s, 300 at once; by account 1/s, 20 at once.
	OfferByAddress, OfferByAccount Limit
	// Exempt are the addresses without any limit, such as those of load generators.
	// Default: none.
	Exempt []netip.Prefix
}

// WithDefaults returns the limits with their zero values replaced. It calls
// refuse with a format and arguments for each limit that is out of range.
func (l Limits) WithDefaults(refuse func(format string, args ...any)) Limits {
	for _, row := range []struct {
		name     string
		limit    *Limit
		standard Limit
	}{
		{"sign-ins by address", &l.SignInByAddress, Limit{5, 100}},
		{"sign-ins by account", &l.SignInByAccount, Limit{0.2, 20}},
		{"creations by address", &l.CreateByAddress, Limit{2, 60}},
		{"creations by account", &l.CreateByAccount, Limit{0.1, 20}},
		{"requests by address", &l.RequestByAddress, Limit{50, 500}},
		{"connections by address", &l.ConnectByAddress, Limit{20, 300}},
		{"messages by address", &l.MessageByAddress, Limit{500, 2000}},
		{"messages by session", &l.MessageBySession, Limit{20, 100}},
		{"offers by address", &l.OfferByAddress, Limit{20, 300}},
		{"offers by account", &l.OfferByAccount, Limit{1, 20}},
	} {
		if *row.limit == (Limit{}) {
			*row.limit = row.standard
		}
		if !(row.limit.Rate > 0) || row.limit.Burst < 1 {
			refuse("the limit of %s is %g a second, %d at once: both must be positive", row.name, row.limit.Rate, row.limit.Burst)
		}
	}
	return l
}
