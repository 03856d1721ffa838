package clock

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two clocks of this machine, one of them as one of another machine would be: 250 ms
// ahead, and fast. How far they are apart is known to the nanosecond.
func TestOffsetOverNATS(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	s.Start()
	defer func() {
		s.Shutdown()
		s.WaitForShutdown()
	}()
	require.True(t, s.ReadyForConnections(time.Minute))
	connect := func() *nats.Conn {
		conn, err := nats.Connect(s.ClientURL())
		require.NoError(t, err)
		t.Cleanup(conn.Close)
		return conn
	}
	began := time.Now()
	now := func() time.Duration { return time.Since(began) }
	ahead := func(at time.Duration) time.Duration { return 250*ms + at/10_000 }

	f := Follow(Over(connect(), "clock"), OfMachine(now))
	defer f.Close()
	require.Eventually(t, func() bool {
		_, err := f.At(now())
		return assert.ErrorIs(t, err, ErrUnknown) && errors.Is(err, nats.ErrNoResponders)
	}, time.Minute, 10*ms, "nobody answers yet")
	_, err = Serve(connect(), "clock", OfMachine(func() time.Duration { n := now(); return n + ahead(n) }))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		at := now()
		o, err := f.At(at)
		if err != nil {
			return false
		}
		require.LessOrEqual(t, o.Least, ahead(at)+2)
		require.GreaterOrEqual(t, o.Most, ahead(at)-2)
		return o.Bound() < 100*ms
	}, time.Minute, 10*ms, "then it is known")
}
