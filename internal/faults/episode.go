package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// An episode is a stretch of time in which a server does something wrong to some of its listeners.
type episode struct {
	// It takes the packets that come from then until then, since the server was told to begin.
	from, until time.Duration
	// to reports whether it is done to the listener with this number.
	to func(number int) bool
	// does makes of what would be sent of a packet what is sent instead. left is how long the
	// episode still lasts.
	does func(random *rand.Rand, left time.Duration, sent []outgoing) []outgoing
	// sentence says it.
	sentence string
}

// Episodes by chance.
const (
	// betweenEpisodes is how long there is from the beginning of one to that of the next on average.
	betweenEpisodes = 700 * time.Millisecond
	longestEpisode  = 1500 * time.Millisecond
	// longestDelay is how late a single episode sends. Several at once add up.
	longestDelay = 700 * time.Millisecond
)

// ByChance is a server that does something wrong now and then, by chance, for so long since it is told to
// begin by a POST to /begin. What it did it tells at /account, as an [Account].
func ByChance(seed uint64, lasts time.Duration) Fault {
	episodes := episodesByChance(seed, lasts)
	var all []string
	for _, e := range episodes {
		all = append(all, e.sentence)
	}
	return Fault{
		Does:     fmt.Sprintf("does by chance (%d): %s", seed, strings.Join(all, "; ")),
		accounts: true,
		forward: func(l *track, _ int, payload []byte) []outgoing {
			sent := []outgoing{{payload: payload}}
			if l.server.began.IsZero() {
				return sent
			}
			at := time.Since(l.server.began)
			for _, e := range episodes {
				if at >= e.from && at < e.until && e.to(l.number) {
					sent = e.does(l.random, e.until-at, sent)
				}
			}
			return sent
		},
	}
}

// episodesByChance last for so long in all.
func episodesByChance(seed uint64, end time.Duration) []episode {
	random := rand.New(rand.NewPCG(seed, 1))
	upTo := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
	var all []episode
	for at := upTo(betweenEpisodes); at < end; at += upTo(2 * betweenEpisodes) {
		e := episode{from: at, until: min(end, at+3*frame+upTo(longestEpisode))}
		of, rest := 1+random.IntN(4), random.IntN(4)
		rest %= of
		e.to = func(number int) bool { return number%of == rest }
		var what string
		switch by, share := frame+upTo(longestDelay-frame), 0.05+0.95*random.Float64(); random.IntN(6) {
		case 0:
			what = fmt.Sprintf("loses %.0f %%", 100*share)
			e.does = func(random *rand.Rand, _ time.Duration, sent []outgoing) []outgoing {
				if random.Float64() < share {
					return nil
				}
				return sent
			}
		case 1:
			what = "loses all"
			e.does = func(*rand.Rand, time.Duration, []outgoing) []outgoing { return nil }
		case 2:
			what = fmt.Sprintf("sends all %v late", by.Round(time.Millisecond))
			e.does = later(func(*rand.Rand, time.Duration) time.Duration { return by })
		case 3:
			what = fmt.Sprintf("sends %.0f %% up to %v late", 100*share, by.Round(time.Millisecond))
			e.does = later(func(random *rand.Rand, _ time.Duration) time.Duration {
				if random.Float64() >= share {
					return 0
				}
				return time.Duration(random.Int64N(int64(by)))
			})
		case 4:
			what = "stands still"
			e.until = min(e.until, e.from+longestDelay)
			e.does = later(func(_ *rand.Rand, left time.Duration) time.Duration { return left })
		default:
			what = fmt.Sprintf("sends %.0f %% again %v later", 100*share, by.Round(time.Millisecond))
			e.does = func(random *rand.Rand, _ time.Duration, sent []outgoing) []outgoing {
				if len(sent) == 0 || random.Float64() >= share {
					return sent
				}
				again := sent[0]
				again.after += by
				return append(sent, again)
			}
		}
		e.sentence = fmt.Sprintf("%v to %v, to 1 of %d listeners: %s", e.from.Round(frame), e.until.Round(frame), of, what)
		all = append(all, e)
	}
	return all
}

// later sends everything later.
func later(by func(random *rand.Rand, left time.Duration) time.Duration) func(*rand.Rand, time.Duration, []outgoing) []outgoing {
	return func(random *rand.Rand, left time.Duration, sent []outgoing) []outgoing {
		d := by(random, left)
		for i := range sent {
			sent[i].after += d
		}
		return sent
	}
}

// An Account is what a server did.
type Account struct {
	// Began is when it was told to begin, since the first listener's offer; 0 is never.
	Began time.Duration
	// Listeners is what it did with the packets of each listener, by the listener's number.
	Listeners [][]Handled
}

// Handled is what a server did with a packet.
type Handled struct {
	// Came is when it came, since the first listener's offer.
	Came time.Duration
	// Lost is set if the server meant to send none.
	Lost bool
	// Sent is when each copy was sent.
	Sent []time.Duration
}

// noteCame notes that a packet came, and returns its number. The server's lock is held.
func (s *Server) noteCame(listener int, now time.Time, lost bool) (n int) {
	of := &s.done.Listeners[listener]
	*of = append(*of, Handled{Came: now.Sub(s.first), Lost: lost})
	return len(*of) - 1
}

// noteSent notes that a packet is being sent.
func (s *Server) noteSent(listener, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &s.done.Listeners[listener][n]
	h.Sent = append(h.Sent, time.Since(s.first))
}

// begin begins to do wrong.
func (s *Server) begin(http.ResponseWriter, *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began = time.Now()
	s.done.Began = s.began.Sub(s.first)
}

// account answers with what was done so far, as JSON.
func (s *Server) account(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(s.done) // the asker may have gone
}
