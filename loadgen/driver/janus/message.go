package janus

import "encoding/json"

// A request is one of Janus' API.
type request struct {
	Janus       string       `json:"janus"`
	Transaction string       `json:"transaction"`
	Session     uint64       `json:"session_id,omitempty"`
	Handle      uint64       `json:"handle_id,omitempty"`
	Plugin      string       `json:"plugin,omitempty"`
	Body        *body        `json:"body,omitempty"`
	JSEP        *description `json:"jsep,omitempty"`
	APISecret   string       `json:"apisecret,omitempty"`
	Token       string       `json:"token,omitempty"`
}

// The requests of Janus' API that the driver makes.
const (
	create      = "create"
	attach      = "attach"
	bridge      = "message" // one for the plugin
	keepalive   = "keepalive"
	destroy     = "destroy"
	information = "info"
)

// A description is an SDP offer or answer.
type description struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

// An id names a room or a person in it: a number, or a string where the server has string_ids.
// It goes back as it came.
type id = json.RawMessage

// A body is a request to the AudioBridge. Which fields there are depends on the request.
type body struct {
	Request string `json:"request"`
	Room    id     `json:"room,omitempty"`
	ID      id     `json:"id,omitempty"`
	Secret  string `json:"secret,omitempty"`
	PIN     string `json:"pin,omitempty"`

	// For create.
	AdminKey     string `json:"admin_key,omitempty"`
	Description  string `json:"description,omitempty"`
	Private      bool   `json:"is_private,omitempty"`
	SamplingRate int    `json:"sampling_rate,omitempty"`

	// For join.
	Display string `json:"display,omitempty"`
	Muted   bool   `json:"muted,omitempty"`
}

// The requests to the AudioBridge that the driver makes.
const (
	createRoom  = "create"
	destroyRoom = "destroy"
	roomExists  = "exists"
	join        = "join"
	configure   = "configure"
	mute        = "mute"
	unmute      = "unmute"
	kick        = "kick"
)

// A message is one of the server's: an answer, or an event.
type message struct {
	Janus       string `json:"janus"`
	Transaction string `json:"transaction"`
	Data        struct {
		ID uint64 `json:"id"`
	} `json:"data"`
	Error      *apiError `json:"error"`
	Reason     string    `json:"reason"` // of a hangup
	PluginData struct {
		Data event `json:"data"`
	} `json:"plugindata"`
	JSEP      description `json:"jsep"`
	Candidate struct {
		Value     string `json:"candidate"`
		Completed bool   `json:"completed"`
	} `json:"candidate"`
	SessionTimeout int `json:"session-timeout"` // in seconds, of the answer to info
}

// An apiError is an error of Janus itself.
type apiError struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
}

// An event is what the AudioBridge says.
type event struct {
	AudioBridge string `json:"audiobridge"`
	Room        id     `json:"room"`
	ID          id     `json:"id"`
	Exists      bool   `json:"exists"`
	Code        int    `json:"error_code"`
	Error       string `json:"error"`
}
