package driver_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

var errOver = errors.New("over")

func TestAwait(t *testing.T) {
	for _, c := range []struct {
		sentence string
		before   func(s *driver.Signaling, so *bool)
		while    func(s *driver.Signaling, so *bool, cancel func()) // once Await waits
		want     error
	}{
		{"what is so already is not waited for", func(_ *driver.Signaling, so *bool) { *so = true }, nil, nil},
		{"what is so is so after the end, too", func(s *driver.Signaling, so *bool) { *so = true; s.End(errOver) }, nil, nil},
		{"what is not so at the end never will be", func(s *driver.Signaling, _ *bool) { s.End(errOver) }, nil, errOver},
		{"it waits until a change makes it so", nil, func(s *driver.Signaling, so *bool, _ func()) {
			s.Change(func() {}) // of something else
			synctest.Wait()
			s.Change(func() { *so = true })
		}, nil},
		{"it fails when the connection ends", nil, func(s *driver.Signaling, _ *bool, _ func()) { s.End(errOver) }, errOver},
		{"it fails when nobody wants it any more", nil, func(_ *driver.Signaling, _ *bool, cancel func()) { cancel() }, context.Canceled},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s driver.Signaling
				so := false
				if c.before != nil {
					c.before(&s, &so)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- s.Await(ctx, func() bool { return so }) }()
				synctest.Wait()
				if c.while != nil {
					require.Empty(t, done, "it does not wait")
					c.while(&s, &so, cancel)
				}
				assert.ErrorIs(t, <-done, c.want)
			})
		})
	}
}

// No change is missed, however many wait for however many changes.
func TestAwaitMissesNoChange(t *testing.T) {
	const waiters, changes = 8, 200
	var s driver.Signaling
	count := 0
	var all sync.WaitGroup
	for range waiters {
		all.Go(func() {
			for i := range changes {
				assert.NoError(t, s.Await(t.Context(), func() bool { return count > i }))
			}
		})
	}
	for range changes {
		all.Go(func() { s.Change(func() { count++ }) })
	}
	all.Wait()
}

func TestFirstReasonOfAnEndCounts(t *testing.T) {
	var s driver.Signaling
	require.NoError(t, s.Ended())
	s.End(errOver)
	s.End(errors.New("the connection was closed"))
	assert.Equal(t, errOver, s.Ended())
}

func TestEvery(t *testing.T) {
	for _, c := range []struct {
		sentence string
		do       func(s *driver.Signaling, times int) error
		want     int
	}{
		{"it goes on until the end", func(*driver.Signaling, int) error { return nil }, 5},
		{"it ends when it fails", func(_ *driver.Signaling, times int) error { return map[int]error{2: errOver}[times] }, 2},
		{"it may itself see the end", func(s *driver.Signaling, times int) error {
			if times == 3 {
				s.End(errOver)
			}
			return nil
		}, 3},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s driver.Signaling
				times := 0
				after := func() time.Duration { return 10 * time.Second }
				s.Every(after, func() error { times++; return c.do(&s, times) })
				s.Every(after, func() error { t.Error("a second is begun"); return nil })
				time.Sleep(55 * time.Second)
				s.End(errOver)
				time.Sleep(time.Hour)
				synctest.Wait()
				assert.Equal(t, c.want, times)
				s.Every(after, func() error { t.Error("it begins after the end"); return nil })
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s driver.Signaling
		lines := make(chan string, 1)
		go func() {
			got, err := s.Trickle(t.Context())
			assert.NoError(t, err)
			lines <- got
		}()
		s.AddCandidate("", false)
		s.AddCandidate("candidate:0\r\na=ice-pwd:another", false)
		synctest.Wait()
		require.Empty(t, lines, "what is no candidate is none")
		s.AddCandidate("candidate:1", false)
		assert.Equal(t, "a=candidate:1\r\n", <-lines)

		last := make(chan error, 1)
		go func() { last <- s.AwaitLastCandidate(t.Context()) }()
		s.AddCandidate("candidate:2", false)
		synctest.Wait()
		require.Empty(t, last, "more may come")
		s.AddCandidate("", true)
		require.NoError(t, <-last)
		assert.Equal(t, []string{"candidate:1", "candidate:2"}, s.Candidates())
		got, err := s.Trickle(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "a=candidate:1\r\na=candidate:2\r\n", got)

		var none driver.Signaling
		none.End(errOver)
		_, err = none.Trickle(t.Context())
		assert.ErrorIs(t, err, errOver)
	})
}
