package wire

import "encoding/json"

// Hello opens the conversation; nothing else is accepted before it. The answer
// is [Welcome].
type Hello struct {
	fromClient
	ID string `json:"id,omitempty"`
	// Version is the protocol version the client speaks: [Version].
	Version int `json:"version"`
	// Token is a session token; not needed on an open server.
	Token string `json:"token,omitempty"`
	// Name is the person's name, for a [Join] without one of its own.
	Name string `json:"name,omitempty"`
}

// Join enters a room. The answer is [Joined]. A session joins once.
type Join struct {
	fromClient
	ID string `json:"id,omitempty"`
	// Room is the room's id (see [ValidRoom]).
	Room string `json:"room"`
	// Role is the role asked for. Empty: that of the token, or listener.
	Role Role `json:"role,omitempty"`
	// Name is shown to others. Empty: that of the [Hello], or "guest".
	Name string `json:"name,omitempty"`
}

// Offer opens the ear or the mic, or replaces the one that is open. The answer
// is [Answer]. A mic is for those on stage.
type Offer struct {
	fromClient
	ID    string `json:"id,omitempty"`
	Media Media  `json:"media"`
	// SDP is a whole offer, with all of its candidates or none: the server is
	// ICE-lite and learns the client's address from its checks.
	SDP string `json:"sdp"`
	// Node is the server of a cluster that is to have the ear; empty: any.
	Node string `json:"node,omitempty"`
}

// RestartICE begins another ICE session of the open ear or mic (RFC 8445, section 9): the
// connection, the seat and what is heard go on. The answer is [ICERestarted].
type RestartICE struct {
	fromClient
	ID    string `json:"id,omitempty"`
	Media Media  `json:"media"`
	// Fragment is an SDP fragment (RFC 8840, section 9) with the client's new credentials
	// and the m= line of a section.
	Fragment string `json:"fragment"`
}

// Hangup closes the ear or the mic. The answer is [OK], also if it was not open.
type Hangup struct {
	fromClient
	ID    string `json:"id,omitempty"`
	Media Media  `json:"media"`
}

// Leave leaves the room. The answer is [OK]; then the server says [Goodbye] and
// closes.
type Leave struct {
	fromClient
	ID string `json:"id,omitempty"`
}

// Mute silences a mic, or lets it be heard again. The answer is [OK].
type Mute struct {
	fromClient
	ID string `json:"id,omitempty"`
	// Member is whose mic. Empty: one's own.
	Member string `json:"member,omitempty"`
	// Muted must be given.
	Muted bool `json:"muted"`
}

// UnmarshalJSON refuses a message without "muted", which would otherwise unmute.
func (m *Mute) UnmarshalJSON(data []byte) error {
	var in struct {
		ID     string `json:"id"`
		Member string `json:"member"`
		Muted  *bool  `json:"muted"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	if in.Muted == nil {
		return FieldError("muted", "must be true or false")
	}
	*m = Mute{ID: in.ID, Member: in.Member, Muted: *in.Muted}
	return nil
}

// Promote brings a member onto the stage, or makes a speaker a host. The answer
// is [OK]. Hosts only.
type Promote struct {
	fromClient
	ID     string `json:"id,omitempty"`
	Member string `json:"member"`
	// Role is speaker (the default, if empty) or host.
	Role Role `json:"role,omitempty"`
}

// Demote sends a member back to the audience. The answer is [OK]. Hosts only,
// or oneself stepping down.
type Demote struct {
	fromClient
	ID string `json:"id,omitempty"`
	// Member is who. Empty: oneself.
	Member string `json:"member,omitempty"`
}

// Remove puts a member out of the room. The answer is [OK]. Hosts only.
type Remove struct {
	fromClient
	ID     string `json:"id,omitempty"`
	Member string `json:"member"`
}

// RaiseHand asks for the stage. The answer is [OK]. Listeners only.
type RaiseHand struct {
	fromClient
	ID string `json:"id,omitempty"`
}

// Applaud shows everybody that one applauds. The answer is [OK]; then all get a [Presence]
// with it. People on stage only.
type Applaud struct {
	fromClient
	ID string `json:"id,omitempty"`
}

// LowerHand takes a raised hand down. The answer is [OK].
type LowerHand struct {
	fromClient
	ID string `json:"id,omitempty"`
	// Member is whose hand; hosts only. Empty: one's own.
	Member string `json:"member,omitempty"`
}

// End ends the room for everybody. The answer is [OK]; then all get [Goodbye].
// Hosts only.
type End struct {
	fromClient
	ID string `json:"id,omitempty"`
}
