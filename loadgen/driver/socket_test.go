package driver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/loadgen/driver"
)

// dialServer opens a WebSocket to a server that does with it what serve does.
func dialServer(t *testing.T, o driver.SocketOptions, serve func(conn *websocket.Conn)) *driver.Socket {
	t.Helper()
	served := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(served)
		conn, err := (&websocket.Upgrader{Subprotocols: []string{"one", "two"}}).Upgrade(w, r, nil)
		if assert.NoError(t, err) {
			defer conn.Close()
			serve(conn)
		}
	}))
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL)
	require.NoError(t, err)
	s, _, err := driver.NewSocketDialer(o).Dial(t.Context(), driver.SocketURL(base, "/ws"), nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, s.Close())
		<-served
	})
	return s
}

// echo sends back what it gets, with its kind.
func echo(conn *websocket.Conn) {
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if conn.WriteMessage(kind, append([]byte{byte('0' + kind)}, message...)) != nil {
			return
		}
	}
}

// readText reads one message.
func readText(s *driver.Socket) (string, error) {
	var text string
	err := s.Read(func(message []byte) error {
		text = string(message)
		return nil
	})
	return text, err
}

func TestSocketSendsAndReadsMessages(t *testing.T) {
	for _, c := range []struct {
		sentence string
		options  driver.SocketOptions
		want     string // of "hello", with the kind before it
		chosen   string
	}{
		{"messages are text, if nothing else is said", driver.SocketOptions{MaxMessage: 100}, "1hello", ""},
		{"messages may be binary", driver.SocketOptions{MaxMessage: 100, Binary: true}, "2hello", ""},
		{"a server may be asked for a subprotocol", driver.SocketOptions{MaxMessage: 100, Subprotocol: "two"}, "1hello", "two"},
		{"a server need not have the subprotocol", driver.SocketOptions{MaxMessage: 100, Subprotocol: "three"}, "1hello", ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := dialServer(t, c.options, echo)
			assert.Equal(t, c.chosen, s.Subprotocol())
			assert.Contains(t, s.LocalAddr().String(), "127.0.0.1:")
			require.NoError(t, s.Write([]byte("hello")))
			got, err := readText(s)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

// A WebSocket takes one writer at a time: the race detector and the framing would notice two.
func TestSocketWritesFromAnyGoroutine(t *testing.T) {
	const writers = 20
	s := dialServer(t, driver.SocketOptions{MaxMessage: 1 << 10}, echo)
	long := strings.Repeat("x", 500)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() { assert.NoError(t, s.Write([]byte(long))) })
	}
	for range writers {
		got, err := readText(s)
		require.NoError(t, err)
		assert.Equal(t, "1"+long, got)
	}
	all.Wait()
}

func TestSocketReadEnds(t *testing.T) {
	errTaken := errors.New("it is not what was wanted")
	take := func([]byte) error { return nil }
	for _, c := range []struct {
		sentence string
		serve    func(conn *websocket.Conn)
		before   func(t *testing.T, s *driver.Socket)
		take     func([]byte) error
		want     string
	}{
		{"a message that is too long ends it", func(conn *websocket.Conn) {
			_ = conn.WriteMessage(websocket.TextMessage, make([]byte, 101))
			_, _, _ = conn.ReadMessage()
		}, nil, take, "read limit exceeded"},
		{"whoever takes a message may end it", func(conn *websocket.Conn) {
			_ = conn.WriteMessage(websocket.TextMessage, []byte("hello"))
			_, _, _ = conn.ReadMessage()
		}, nil, func([]byte) error { return errTaken }, errTaken.Error()},
		{"the server ends it", func(*websocket.Conn) {}, nil, take, "EOF"},
		{"Close ends it, and may be called again", echo, func(t *testing.T, s *driver.Socket) {
			t.Helper()
			require.NoError(t, s.Close())
		}, take, "closed network connection"},
		{"a deadline ends it", echo, func(t *testing.T, s *driver.Socket) {
			t.Helper()
			require.NoError(t, s.SetReadDeadline(time.Unix(1, 0)))
		}, take, "i/o timeout"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := dialServer(t, driver.SocketOptions{MaxMessage: 100}, c.serve)
			if c.before != nil {
				c.before(t, s)
			}
			assert.ErrorContains(t, s.Read(c.take), c.want)
		})
	}
}

func TestSocketCloseEndsReadThatWaits(t *testing.T) {
	s := dialServer(t, driver.SocketOptions{MaxMessage: 100}, echo)
	ended := make(chan error, 1)
	go func() {
		_, err := readText(s)
		ended <- err
	}()
	require.NoError(t, s.Close())
	require.Error(t, <-ended)
	assert.Error(t, s.Write([]byte("hello")))
}

func TestSocketDialerTellsWhyNoneOpens(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/silent" {
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "no room for you", http.StatusForbidden)
	}))
	defer server.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, c := range []struct {
		sentence, target, path string
		status                 int // 0: there is no answer
		want                   string
		refused, unreachable   bool
	}{
		{"a refusal has the status and what the server says", server.URL, "/ws", http.StatusForbidden, `the server answered 403 Forbidden: "no room for you"`, true, false},
		{"a server that hangs up gave no answer", server.URL, "/silent", 0, "the server gave no answer", false, false},
		{"who is not there cannot be reached", gone.URL, "/ws", 0, driver.ErrUnreachable.Error(), false, true},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			base, err := url.Parse(c.target)
			require.NoError(t, err)
			s, resp, err := driver.NewSocketDialer(driver.SocketOptions{}).Dial(t.Context(), driver.SocketURL(base, c.path), nil)
			require.ErrorContains(t, err, c.want)
			assert.Nil(t, s)
			assert.Equal(t, c.status != 0, resp != nil)
			if resp != nil {
				assert.Equal(t, c.status, resp.StatusCode)
			}
			assert.Equal(t, c.refused, driver.Refused(err))
			assert.Equal(t, c.unreachable, errors.Is(err, driver.ErrUnreachable))
		})
	}
}

// A countingConn counts writes.
type countingConn struct {
	net.Conn
	writes *atomic.Int32
}

func (c countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func TestSocketSendsSeveralMessagesAtOnce(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS: ", secure), func(t *testing.T) {
			served := make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(served)
				conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
				if assert.NoError(t, err) {
					defer conn.Close()
					echo(conn)
				}
			}))
			var writes atomic.Int32
			o := driver.SocketOptions{MaxMessage: 100, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				return countingConn{conn, &writes}, err
			}}
			if secure {
				server.StartTLS()
				o.Trust = server.Client().Transport.(*http.Transport).TLSClientConfig
			} else {
				server.Start()
			}
			defer server.Close()
			base, err := url.Parse(server.URL)
			require.NoError(t, err)
			s, _, err := driver.NewSocketDialer(o).Dial(t.Context(), driver.SocketURL(base, "/ws"), nil)
			require.NoError(t, err)
			for _, messages := range [][]string{{"hello", "join", "offer"}, {"leave"}} {
				before := writes.Load()
				var encoded [][]byte
				for _, m := range messages {
					encoded = append(encoded, []byte(m))
				}
				require.NoError(t, s.Write(encoded...))
				assert.EqualValues(t, 1, writes.Load()-before)
				for _, want := range messages {
					got, err := readText(s)
					require.NoError(t, err)
					assert.Equal(t, "1"+want, got)
				}
			}
			require.NoError(t, s.Close())
			<-served
		})
	}
}
