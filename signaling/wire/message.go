package wire

// Type is the name of a message, the "type" of its JSON object.
type Type string

// Message is one message of either direction. The implementations are the
// structs of this package, by value.
type Message interface {
	// Type returns the message's name.
	Type() Type
	// RequestID returns the id the message carries: a client's own name for its
	// request, or in an answer the id of the request. Empty: none.
	RequestID() string
	// Validate tells what is wrong with the fields, as an [Error] with
	// [CodeBadRequest] (or [CodeUnsupportedVersion]) that names the field, or
	// returns nil. Decoding has already called it.
	Validate() error
}

// ClientMessage is what a client sends.
type ClientMessage interface {
	Message
	fromClient()
}

// ServerMessage is what the server sends.
type ServerMessage interface {
	Message
	fromServer()
}

// Role is a person's role in a room.
type Role string

// The roles. Speakers and hosts are on stage.
const (
	RoleListener Role = "listener"
	RoleSpeaker  Role = "speaker"
	RoleHost     Role = "host"
)

// Media names one of a person's two WebRTC sessions.
type Media string

// The media: a mic is the uplink (only on stage), an ear the downlink.
const (
	MediaMic Media = "mic"
	MediaEar Media = "ear"
)

// The types of messages from the client.
const (
	TypeHello     Type = "hello"
	TypeJoin      Type = "join"
	TypeOffer     Type = "offer"
	TypeHangup    Type = "hangup"
	TypeLeave     Type = "leave"
	TypeMute      Type = "mute"
	TypePromote   Type = "promote"
	TypeDemote    Type = "demote"
	TypeRemove    Type = "remove"
	TypeRaiseHand Type = "raise-hand"
	TypeLowerHand Type = "lower-hand"
	TypeEnd       Type = "end"

	TypeResume        Type = "resume"
	TypeSetRules      Type = "set-rules"
	TypeInviteToStage Type = "invite-to-stage"
	TypeAcceptStage   Type = "accept-stage"
	TypeDeclineStage  Type = "decline-stage"
	TypePassHost      Type = "pass-host"
	TypeBan           Type = "ban"
	TypeUnban         Type = "unban"
)

// The types of messages from the server.
const (
	TypeWelcome     Type = "welcome"
	TypeJoined      Type = "joined"
	TypeAnswer      Type = "answer"
	TypeOK          Type = "ok"
	TypePresence    Type = "presence"
	TypeTalkers     Type = "talkers"
	TypeRole        Type = "role"
	TypeMuted       Type = "muted"
	TypeMediaClosed Type = "media-closed"
	TypeError       Type = "error"
	TypeGoodbye     Type = "goodbye"

	TypeResumed           Type = "resumed"
	TypeStageInvite       Type = "stage-invite"
	TypeStageInviteClosed Type = "stage-invite-closed"
	TypeGuestLapsed       Type = "guest-lapsed"
	TypeHostChanged       Type = "host-changed"
)

// ClientTypes returns the types of the messages a client may send. The slice is
// the caller's own.
func ClientTypes() []Type { return typesOf(clientDecoders) }

// ServerTypes returns the types of the messages the server may send. The slice
// is the caller's own.
func ServerTypes() []Type { return typesOf(serverDecoders) }

func typesOf[M Message](table []decoder[M]) []Type {
	types := make([]Type, 0, len(table))
	for _, row := range table {
		types = append(types, row.name)
	}
	return types
}
