package whep

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver"
	"github.com/earshot-audio/earshot/loadgen/scenario"
)

// scripted answers POSTs with statuses, one after the other, the last one again and again.
// It counts them.
func scripted(t *testing.T, header http.Header, statuses ...int) (*Driver, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		status := statuses[min(int(n.Add(1)), len(statuses))-1]
		for key, values := range header {
			w.Header()[key] = values
		}
		if w.Header().Get("Location") == "" {
			w.Header().Set("Location", "/session")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("as the script says"))
	}))
	t.Cleanup(server.Close)
	d, err := New(server.URL+"/whip/{room}", server.URL+"/whep/{room}", "", nil)
	require.NoError(t, err)
	t.Cleanup(d.client.CloseIdleConnections)
	return d, &n
}

func joined(t *testing.T, room driver.RoomClient) driver.Participant {
	t.Helper()
	p, err := room.Join(t.Context(), "somebody", scenario.Listener)
	require.NoError(t, err)
	return p
}

func opened(t *testing.T, d *Driver) driver.RoomClient {
	t.Helper()
	room, err := d.Open(t.Context(), 0, scenario.RoomSpec{})
	require.NoError(t, err)
	return room
}

func TestRoomThatIsNotThereYetIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		name     string
		of       driver.Media
		statuses []int
		header   http.Header
		says     string // "" is no error
		posts    int64
	}{
		{"404 until somebody publishes", driver.Ear, []int{404, 404, 201}, nil, "", 3},
		{"409", driver.Ear, []int{409, 201}, nil, "", 2},
		{"425", driver.Ear, []int{425, 201}, nil, "", 2},
		{"429", driver.Ear, []int{429, 201}, nil, "", 2},
		{"503", driver.Ear, []int{503, 201}, nil, "", 2},
		{"one after the other", driver.Ear, []int{404, 409, 425, 429, 503, 201}, nil, "", 6},
		{"a mic, at a server that starts", driver.Mic, []int{503, 201}, nil, "", 2},
		{"with a time to wait", driver.Ear, []int{425, 201}, http.Header{"Retry-After": {"0"}}, "", 2},
		{"no endpoint for mics", driver.Mic, []int{404}, nil, "404", 1},
		{"a person who may not", driver.Ear, []int{403}, nil, "403", 1},
		{"a server that fails", driver.Ear, []int{500}, nil, "500", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, n := scripted(t, c.header, c.statuses...)
			p := joined(t, opened(t, d))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			offer := p.Listen
			if c.of == driver.Mic {
				offer = p.Publish
			}
			_, err := offer(ctx, "v=0")
			if c.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.says)
				assert.True(t, driver.Refused(err))
			}
			assert.Equal(t, c.posts, n.Load())
		})
	}
}

// A server that never takes anybody is asked until the deadline, and then named as what
// refused.
func TestRoomThatIsNeverThereIsARefusal(t *testing.T) {
	d, n := scripted(t, nil, 404)
	p := joined(t, opened(t, d))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := p.Listen(ctx, "v=0")
	require.ErrorContains(t, err, "404 Not Found")
	assert.ErrorContains(t, err, "until the join deadline")
	assert.True(t, driver.Refused(err))
	assert.Positive(t, n.Load())
}

// A server that has taken somebody into a room can't be waiting for its mic any more.
func TestRefusalAfterTheFirstSuccessIsFinal(t *testing.T) {
	d, n := scripted(t, nil, 201, 404, 503, 404, 201)
	room := opened(t, d)
	_, err := joined(t, room).Listen(t.Context(), "v=0")
	require.NoError(t, err)
	for _, says := range []string{"404", "503"} {
		_, err = joined(t, room).Listen(t.Context(), "v=0")
		require.ErrorContains(t, err, says)
		assert.True(t, driver.Refused(err))
	}
	assert.Equal(t, int64(3), n.Load())
	other, err := d.Open(t.Context(), 1, scenario.RoomSpec{})
	require.NoError(t, err)
	_, err = joined(t, other).Listen(t.Context(), "v=0")
	require.NoError(t, err, "of another room nothing is known")
	assert.Equal(t, int64(5), n.Load())
}

func TestRedirections(t *testing.T) {
	for status, follows := range map[int]bool{301: false, 302: false, 303: false, 307: true, 308: true} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			methods := make(chan string, 10)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodOptions:
				case r.URL.Path == "/new":
					methods <- r.Method
					w.Header().Set("Location", "/session")
					w.WriteHeader(http.StatusCreated)
				default:
					http.Redirect(w, r, "/new", status)
				}
			}))
			t.Cleanup(server.Close)
			d, err := New(server.URL+"/whip", server.URL+"/whep", "", nil)
			require.NoError(t, err)
			t.Cleanup(d.client.CloseIdleConnections)
			_, err = joined(t, opened(t, d)).Listen(t.Context(), "v=0")
			if follows {
				require.NoError(t, err)
				assert.Equal(t, http.MethodPost, <-methods)
				return
			}
			require.ErrorContains(t, err, "redirects to "+server.URL+"/new")
			assert.Empty(t, methods, "a GET says nothing about an offer")
		})
	}
}

func TestEndWithoutAnAnswerIsNotUnreachable(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		assert.NoError(t, err)
		assert.NoError(t, conn.Close())
	}))
	d, err := New(server.URL+"/whip", server.URL+"/whep", "", nil)
	require.NoError(t, err)
	t.Cleanup(d.client.CloseIdleConnections)
	p := joined(t, opened(t, d))
	_, err = p.Listen(t.Context(), "v=0")
	require.ErrorContains(t, err, "ended the connection without an answer")
	require.NotErrorIs(t, err, driver.ErrUnreachable)
	server.Close()
	_, err = p.Listen(t.Context(), "v=0")
	assert.ErrorIs(t, err, driver.ErrUnreachable)
}
