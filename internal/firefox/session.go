package firefox

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// A session speaks WebDriver BiDi (W3C) with a browser: commands and their answers, and events.
// Safe for concurrent use.
type session struct {
	socket  *websocket.Conn
	writing sync.Mutex
	done    chan struct{} // closed once nothing more is read

	mu      sync.Mutex
	last    int
	waiting map[int]chan message
	on      func(method string, params json.RawMessage)
}

// A message is what the browser sends: the answer to the command of its id, or an event.
type message struct {
	Type    string          `json:"type"` // success, error or event
	ID      int             `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   string          `json:"error"`
	Message string          `json:"message"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

// open connects to a browser and begins a session.
func open(url string) (*session, error) {
	socket, answer, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	s := &session{socket: socket, done: make(chan struct{}), waiting: map[int]chan message{}}
	go s.read()
	if _, err := s.call("session.new", map[string]any{"capabilities": struct{}{}}); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) close() {
	_ = s.socket.Close() // the browser may have closed it already
	<-s.done
}

func (s *session) read() {
	defer close(s.done)
	for {
		var m message
		if err := s.socket.ReadJSON(&m); err != nil {
			return
		}
		s.mu.Lock()
		waiter, on := s.waiting[m.ID], s.on
		if m.Type != "event" {
			delete(s.waiting, m.ID)
		}
		s.mu.Unlock()
		switch {
		case m.Type == "event" && on != nil:
			on(m.Method, m.Params)
		case m.Type != "event" && waiter != nil:
			waiter <- m
		}
	}
}

// call sends a command and returns its result.
func (s *session) call(method string, params any) (json.RawMessage, error) {
	answered := make(chan message, 1)
	s.mu.Lock()
	s.last++
	id := s.last
	s.waiting[id] = answered
	s.mu.Unlock()
	s.writing.Lock()
	err := s.socket.WriteJSON(map[string]any{"id": id, "method": method, "params": params})
	s.writing.Unlock()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m := <-answered:
		if m.Type == "error" {
			return nil, fmt.Errorf("%s: %s: %s", method, m.Error, m.Message)
		}
		return m.Result, nil
	case <-s.done:
		return nil, fmt.Errorf("%s: %w", method, errors.New("the browser is gone"))
	case <-time.After(patience):
		return nil, fmt.Errorf("%s: no answer in %v", method, patience)
	}
}
