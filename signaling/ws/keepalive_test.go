package ws

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Connections that were opened at any time are pinged at few moments, and none of them late.
func TestPingsAreGathered(t *testing.T) {
	const clients, pings = 5000, 5
	r := rand.New(rand.NewPCG(1, 2))
	cfg := &Config{PingEvery: 15 * time.Second}
	server := &Server{begun: time.Now()}
	moments := map[time.Time]int{}
	for range clients {
		opened := server.begun.Add(time.Duration(r.Int64N(int64(time.Hour))))
		s := &sender{cfg: cfg, conn: &Conn{server: server, opened: opened}}
		due := cfg.PingEvery
		for range pings {
			ping := s.gathered(due)
			assert.LessOrEqual(t, ping, due, "a ping is never later")
			assert.Greater(t, ping, due-cfg.PingEvery/pingsTogether, "nor much sooner")
			// As if all had been opened within an interval, the moments repeat.
			moments[server.begun.Add(opened.Add(ping).Sub(server.begun)%cfg.PingEvery)]++
			due = ping + cfg.PingEvery
		}
	}
	assert.Len(t, moments, pingsTogether)
}

// Where pings are too frequent to be gathered, each is sent when it is due.
func TestPingsThatCannotBeGathered(t *testing.T) {
	s := &sender{cfg: &Config{PingEvery: pingsTogether - 1}, conn: &Conn{server: &Server{begun: time.Now()}, opened: time.Now()}}
	assert.Equal(t, time.Duration(100), s.gathered(100))
}
