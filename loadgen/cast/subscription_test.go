package cast

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/earshot-audio/earshot/loadgen/ledger"
	"github.com/earshot-audio/earshot/loadgen/timebase"
)

// TestServerHasASecondToBeginWhatItHasOffered is about a server whose offer with every voice was
// answered two seconds ago.
func TestServerHasASecondToBeginWhatItHasOffered(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		answers bool // it does not offer, so that its word is that it sends
		allAt   time.Duration
		want    time.Duration
	}{
		"one that answers the client's offers": {answers: true, want: 0},
		"one that begins with all at once":     {allAt: -time.Millisecond, want: 0},
		"one that begins one after the other":  {allAt: 300 * time.Millisecond, want: 300 * time.Millisecond},
		"one that begins one much later":       {allAt: 1900 * time.Millisecond, want: lateStart},
		"one that never begins one":            {want: lateStart},
	} {
		t.Run(name, func(t *testing.T) {
			clock := timebase.NewClockSince(time.Now().Add(-3 * time.Second))
			s := &subscription{
				person: &person{room: &roomRun{cast: &Cast{Setting: Setting{Clock: clock}}}, account: &ledger.Listener{}},
				offers: !c.answers, at: time.Second, heardAll: make(chan struct{}),
			}
			if c.allAt != 0 {
				s.allAt = s.at + c.allAt
				close(s.heardAll)
			}
			assert.Equal(t, s.at+c.want, s.began(t.Context()))
			s.at = clock.Now()
			if c.allAt == 0 && !c.answers {
				assert.Less(t, s.began(ended), s.at+lateStart, "the join deadline ends the waiting")
			}
		})
	}
}
