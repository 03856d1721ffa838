package wire

// StageMember is one person on stage.
type StageMember struct {
	Member string `json:"member"`
	Name   string `json:"name"`
	// Role is speaker or host.
	Role Role `json:"role"`
	// Talker is the number that names this person's voice: the CSRC of its RTP
	// packets, and the entries of [Talkers]. Unique in the room, never 0.
	Talker uint32 `json:"talker"`
	Muted  bool   `json:"muted"`
	// Away means that the person's WebSocket is lost and may come back.
	Away bool `json:"away,omitempty"`
	// Profile is the id of what the person shows of themselves, and Picture the name of
	// their picture; empty: nothing, and none.
	Profile string `json:"profile,omitempty"`
	Picture string `json:"picture,omitempty"`
}

// StageChange is the present state of one person who came to the stage, changed
// on it, or left it. It is a state and not a step: applying it twice, or only
// the latest of several, gives the right picture.
type StageChange struct {
	StageMember
	// Gone means that the person has left the stage.
	Gone bool `json:"gone,omitempty"`
}

// Hand is a raised hand.
type Hand struct {
	Member string `json:"member"`
	Name   string `json:"name"`
}

// Welcome answers [Hello].
type Welcome struct {
	fromServer
	ID string `json:"id,omitempty"`
	// Session names this connection, for people who read logs.
	Session string `json:"session"`
	// Version is the protocol version the server speaks: [Version].
	Version int `json:"version"`
	// Server names the software and its version.
	Server string `json:"server"`
}

// Joined answers [Join] with the picture of the room at that moment. Later
// [Presence] and [Talkers] messages bring the changes.
type Joined struct {
	fromServer
	ID   string `json:"id,omitempty"`
	Room string `json:"room"`
	// Member is one's own id in the room.
	Member string `json:"member"`
	Role   Role   `json:"role"`
	// Talker is one's own number, should one come to the stage.
	Talker uint32 `json:"talker"`
	// Slots is how many voices the room passes on at once: the number of audio
	// sections worth offering in an ear.
	Slots int `json:"slots"`
	// Hall is the number of the hall that one sits in: 0 is the room itself, the
	// others are its overflow halls, which hear the same stage.
	Hall int `json:"hall,omitempty"`
	// Audience is how many people sit in one's hall; for those on stage, in the
	// room itself.
	Audience int `json:"audience"`
	// Total is how many people sit in all halls. Only for those on stage.
	Total int `json:"total,omitempty"`
	// Stage is who is on stage, oneself included, by time on stage.
	Stage []StageMember `json:"stage"`
	// Talkers is who holds a slot now.
	Talkers []uint32 `json:"talkers"`
	// Hands are the raised hands, oldest first, at most [MaxHands]. Only those on
	// stage get them.
	Hands []Hand `json:"hands,omitempty"`
	// HandCount is how many hands are up in all. Only for those on stage.
	HandCount int `json:"hand_count,omitempty"`
	// Rev is the number of the last change of the stage that Stage holds; see
	// [Resume].
	Rev uint64 `json:"rev"`
	// Rules are the rules as they are now.
	Rules Rules `json:"rules,omitzero"`
	// Resume is what the client needs after a loss of its WebSocket.
	Resume Ticket `json:"resume,omitzero"`
}

// Answer answers [Offer].
type Answer struct {
	fromServer
	ID    string `json:"id,omitempty"`
	Media Media  `json:"media"`
	// SDP is a whole answer, candidates included.
	SDP string `json:"sdp"`
}

// ICERestarted answers [RestartICE].
type ICERestarted struct {
	fromServer
	ID    string `json:"id,omitempty"`
	Media Media  `json:"media"`
	// Fragment is an SDP fragment with the server's new credentials and its candidates.
	Fragment string `json:"fragment"`
}

// RedirectReason is why a client is sent to another server.
type RedirectReason string

// The reasons for a [Redirect].
const (
	// RedirectPlace: the room is on another server of the cluster.
	RedirectPlace RedirectReason = "place"
	// RedirectMoved: the room has moved to another server, and a [Goodbye] follows. It answers
	// no request.
	RedirectMoved RedirectReason = "moved"
)

// Redirect answers a [Join] or a [Resume] for a room that is on another server of the
// cluster. The client opens a WebSocket to URL, and says hello and joins there with the
// same token. It has joined nothing here.
type Redirect struct {
	fromServer
	ID string `json:"id,omitempty"`
	// URL is a ws or wss URL.
	URL    string         `json:"url"`
	Reason RedirectReason `json:"reason"`
}

// OK answers a request that has no other answer.
type OK struct {
	fromServer
	ID string `json:"id,omitempty"`
}

// Presence has what changed in the room since the last one. The server
// gathers changes and sends at most one every 250 ms.
type Presence struct {
	fromServer
	// Audience is how many people sit in one's hall; for those on stage, in the
	// room itself.
	Audience int `json:"audience"`
	// Total is how many people sit in all halls. Only for those on stage.
	Total int `json:"total,omitempty"`
	// Rev is the number of the last change of the stage that was sent; see
	// [Resume].
	Rev uint64 `json:"rev"`
	// StageChanges are the people whose place on stage changed.
	StageChanges []StageChange `json:"stage_changes,omitempty"`
	// Applause are the members on stage who have applauded since the last one.
	Applause []string `json:"applause,omitempty"`
	// Hands are the raised hands, oldest first, at most [MaxHands]; absent (nil)
	// if they have not changed, and for those not on stage.
	Hands []Hand `json:"hands,omitzero"`
	// HandCount is how many hands are up in all; it comes with Hands.
	HandCount int `json:"hand_count,omitempty"`
	// Rules are the new rules, if they have changed.
	Rules *Rules `json:"rules,omitempty"`
}

// Talkers has who holds the room's slots. It is sent whenever that changes (gathered, at
// most one message every 100 ms). The order says nothing.
type Talkers struct {
	fromServer
	Talkers []uint32 `json:"talkers"`
}

// RoleChanged is sent when one's own role changed. After a promotion the client
// may open its mic; a demotion has closed it.
type RoleChanged struct {
	fromServer
	Role Role `json:"role"`
	// By is the member who did it; empty for the operator.
	By string `json:"by,omitempty"`
}

// Muted is sent when one's own mic was muted or unmuted.
type Muted struct {
	fromServer
	Muted bool `json:"muted"`
	// MayUnmute reports whether one may undo the mute oneself.
	MayUnmute bool `json:"may_unmute,omitempty"`
	// By is the member who did it; empty for the operator.
	By string `json:"by,omitempty"`
}

// CloseReason is why the server closed an ear or a mic.
type CloseReason string

// The reasons for a [MediaClosed].
const (
	// CloseLost: the connection failed, or the client's end closed it.
	CloseLost CloseReason = "lost"
	// CloseDemoted: the member left the stage.
	CloseDemoted CloseReason = "demoted"
)

// MediaClosed is sent when an ear or a mic was closed other than by the client's own
// [Hangup] or by a later [Offer] in its place. The member is still in the room.
type MediaClosed struct {
	fromServer
	Media  Media       `json:"media"`
	Reason CloseReason `json:"reason"`
}

// MediaMoving is sent when the server that has a member's ear will stop soon. An [Offer] opens
// another ear elsewhere. The old one plays on until the client closes it, or for some
// seconds after the answer.
type MediaMoving struct {
	fromServer
	Media Media `json:"media"`
}

// GoodbyeReason is why the server ends a session.
type GoodbyeReason string

// The reasons for a [Goodbye].
const (
	// GoodbyeLeft: the client asked to leave.
	GoodbyeLeft GoodbyeReason = "left"
	// GoodbyeRemoved: a host or the operator put the member out.
	GoodbyeRemoved GoodbyeReason = "removed"
	// GoodbyeBanned: a host or the operator has banned the member.
	GoodbyeBanned GoodbyeReason = "banned"
	// GoodbyeReplaced: the same account, or the same member by a [Resume], has
	// come in elsewhere.
	GoodbyeReplaced GoodbyeReason = "replaced"
	// GoodbyeEnded: the room ended.
	GoodbyeEnded GoodbyeReason = "ended"
	// GoodbyeShutdown: the server stops.
	GoodbyeShutdown GoodbyeReason = "shutdown"
	// GoodbyeMoved: the room has moved to another server of the cluster. Whoever joins or
	// resumes again is told where it is.
	GoodbyeMoved GoodbyeReason = "moved"
	// GoodbyeSlow: the client did not read its messages fast enough.
	GoodbyeSlow GoodbyeReason = "slow"
	// GoodbyeTimeout: no hello came in time.
	GoodbyeTimeout GoodbyeReason = "timeout"
	// GoodbyeProtocol: too many malformed messages in a row.
	GoodbyeProtocol GoodbyeReason = "protocol"
)

// Goodbye is the last message before the server closes the WebSocket.
type Goodbye struct {
	fromServer
	Reason GoodbyeReason `json:"reason"`
}
