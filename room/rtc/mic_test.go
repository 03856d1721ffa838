package rtc

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRateLimiterAllowsTheAnsweredRate(t *testing.T) {
	begin := time.Unix(1000, 0)
	for name, row := range map[string]struct {
		size  int
		every time.Duration
		over  time.Duration
		least int
		most  int
	}{
		"speech in packets of 20 ms passes":                                                   {80, 20 * time.Millisecond, time.Minute, 3000, 3000},
		"and in packets of 10 ms":                                                             {80, 10 * time.Millisecond, time.Minute, 6000, 6000},
		"a flood passes at a hundred a second":                                                {80, 100 * time.Microsecond, 10 * time.Second, 1000, 1000 + rateBurst},
		"what comes all at once passes up to a second":                                        {80, 0, 0, rateBurst, rateBurst + 1},
		"music at the highest rate of Opus passes":                                            {1275, 20 * time.Millisecond, time.Minute, 3000, 3000},
		"and in packets of 60 ms":                                                             {3825, 60 * time.Millisecond, time.Minute, 1000, 1000},
		"packets as long as they can be do not pass at a hundred a second, but at Opus' rate": {1400, 10 * time.Millisecond, time.Minute, 2700, 2800},
	} {
		t.Run(name, func(t *testing.T) {
			p := rateLimiter{frame: minFrame}
			passed, n := 0, 10_000
			if row.every > 0 {
				n = int(row.over / row.every)
			}
			for i := range n {
				if p.allow(begin.Add(time.Duration(i)*row.every), row.size) {
					passed++
				}
			}
			assert.GreaterOrEqual(t, passed, row.least)
			assert.LessOrEqual(t, passed, row.most)
		})
	}
	p := rateLimiter{frame: minFrame}
	for range 2 * rateBurst {
		p.allow(begin, 80)
	}
	assert.False(t, p.allow(begin, 80))
	assert.True(t, p.allow(begin.Add(minFrame), 80), "and it recovers by itself")
}
