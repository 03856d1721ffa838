package wire

import "reflect"

// Type is the name of a message, the "type" of its JSON object.
type Type string

// Message is one message of either direction. The implementations are the
// structs of this package, by value.
type Message interface{ message() }

// ClientMessage is what a client sends.
type ClientMessage interface {
	Message
	clientMessage()
}

// ServerMessage is what the server sends.
type ServerMessage interface {
	Message
	serverMessage()
}

// The structs of messages embed their direction.
type (
	fromClient struct{}
	fromServer struct{}
)

func (fromClient) message()       {}
func (fromClient) clientMessage() {}
func (fromServer) message()       {}
func (fromServer) serverMessage() {}

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
	TypeRestart   Type = "restart-ice"
	TypeLeave     Type = "leave"
	TypeMute      Type = "mute"
	TypePromote   Type = "promote"
	TypeDemote    Type = "demote"
	TypeRemove    Type = "remove"
	TypeRaiseHand Type = "raise-hand"
	TypeLowerHand Type = "lower-hand"
	TypeApplaud   Type = "applaud"
	TypeEnd       Type = "end"

	TypeResume        Type = "resume"
	TypeSetRules      Type = "set-rules"
	TypeInviteToStage Type = "invite-to-stage"
	TypeAcceptStage   Type = "accept-stage"
	TypeDeclineStage  Type = "decline-stage"
	TypePassHost      Type = "pass-host"
	TypeBan           Type = "ban"
	TypeUnban         Type = "unban"
	TypeListAudience  Type = "list-audience"
)

// The types of messages from the server.
const (
	TypeWelcome     Type = "welcome"
	TypeJoined      Type = "joined"
	TypeAnswer      Type = "answer"
	TypeRestarted   Type = "ice-restarted"
	TypeOK          Type = "ok"
	TypePresence    Type = "presence"
	TypeTalkers     Type = "talkers"
	TypeRole        Type = "role"
	TypeMuted       Type = "muted"
	TypeMediaClosed Type = "media-closed"
	TypeMediaMoving Type = "media-moving"
	TypeError       Type = "error"
	TypeGoodbye     Type = "goodbye"

	TypeResumed           Type = "resumed"
	TypeStageInvite       Type = "stage-invite"
	TypeStageInviteClosed Type = "stage-invite-closed"
	TypeGuestLapsed       Type = "guest-lapsed"
	TypeHostChanged       Type = "host-changed"
	TypeRedirect          Type = "redirect"
	TypeAudience          Type = "audience"
)

// clientMessages and serverMessages are the messages of each direction.
var (
	clientMessages = []messageKind[ClientMessage]{
		kind[Hello, ClientMessage](TypeHello),
		kind[Join, ClientMessage](TypeJoin),
		kind[Offer, ClientMessage](TypeOffer),
		kind[Hangup, ClientMessage](TypeHangup),
		kind[RestartICE, ClientMessage](TypeRestart),
		kind[Leave, ClientMessage](TypeLeave),
		kind[Mute, ClientMessage](TypeMute),
		kind[Promote, ClientMessage](TypePromote),
		kind[Demote, ClientMessage](TypeDemote),
		kind[Remove, ClientMessage](TypeRemove),
		kind[RaiseHand, ClientMessage](TypeRaiseHand),
		kind[LowerHand, ClientMessage](TypeLowerHand),
		kind[Applaud, ClientMessage](TypeApplaud),
		kind[End, ClientMessage](TypeEnd),
		kind[Resume, ClientMessage](TypeResume),
		kind[SetRules, ClientMessage](TypeSetRules),
		kind[InviteToStage, ClientMessage](TypeInviteToStage),
		kind[AcceptStage, ClientMessage](TypeAcceptStage),
		kind[DeclineStage, ClientMessage](TypeDeclineStage),
		kind[PassHost, ClientMessage](TypePassHost),
		kind[Ban, ClientMessage](TypeBan),
		kind[Unban, ClientMessage](TypeUnban),
		kind[ListAudience, ClientMessage](TypeListAudience),
	}
	serverMessages = []messageKind[ServerMessage]{
		kind[Welcome, ServerMessage](TypeWelcome),
		kind[Joined, ServerMessage](TypeJoined),
		kind[Answer, ServerMessage](TypeAnswer),
		kind[ICERestarted, ServerMessage](TypeRestarted),
		kind[OK, ServerMessage](TypeOK),
		kind[Presence, ServerMessage](TypePresence),
		kind[Talkers, ServerMessage](TypeTalkers),
		kind[RoleChanged, ServerMessage](TypeRole),
		kind[Muted, ServerMessage](TypeMuted),
		kind[MediaClosed, ServerMessage](TypeMediaClosed),
		kind[MediaMoving, ServerMessage](TypeMediaMoving),
		kind[Error, ServerMessage](TypeError),
		kind[Goodbye, ServerMessage](TypeGoodbye),
		kind[Resumed, ServerMessage](TypeResumed),
		kind[StageInvite, ServerMessage](TypeStageInvite),
		kind[StageInviteClosed, ServerMessage](TypeStageInviteClosed),
		kind[GuestLapsed, ServerMessage](TypeGuestLapsed),
		kind[HostChanged, ServerMessage](TypeHostChanged),
		kind[Redirect, ServerMessage](TypeRedirect),
		kind[Audience, ServerMessage](TypeAudience),
	}
)

// messageKind is one kind of message of a direction.
type messageKind[M Message] struct {
	name   Type
	goType reflect.Type
	decode func([]byte) (M, error)
}

func kind[T Message, M Message](name Type) messageKind[M] {
	return messageKind[M]{name, reflect.TypeFor[T](), unmarshal[T, M]}
}

// A structInfo is what is known of a message by its Go type.
type structInfo struct {
	name Type
	id   int // the index of the field ID; -1 is none
}

var structs = func() map[reflect.Type]structInfo {
	all := map[reflect.Type]structInfo{}
	add := func(t reflect.Type, name Type) {
		info := structInfo{name, -1}
		if f, ok := t.FieldByName("ID"); ok {
			info.id = f.Index[0]
		}
		all[t] = info
	}
	for _, k := range clientMessages {
		add(k.goType, k.name)
	}
	for _, k := range serverMessages {
		add(k.goType, k.name)
	}
	return all
}()

// TypeOf returns the message's name.
func TypeOf(m Message) Type { return structs[reflect.TypeOf(m)].name }

// RequestID returns the id that the message carries: a client's own name for its
// request, or in an answer the id of the request. Empty: none.
func RequestID(m Message) string {
	info := structs[reflect.TypeOf(m)]
	if info.id < 0 {
		return ""
	}
	return reflect.ValueOf(m).Field(info.id).String()
}

// Validate returns an [Error] with [CodeBadRequest] (or [CodeUnsupportedVersion])
// that names the first wrong field, or nil. Decoding has already called it.
func Validate(m Message) error {
	if err := checkWord("id", RequestID(m), MaxID, false); err != nil {
		return err
	}
	if m, ok := m.(interface{ validate() error }); ok {
		return m.validate()
	}
	return nil
}

// ClientTypes returns the types of the messages a client may send. The slice is
// the caller's own.
func ClientTypes() []Type { return namesOf(clientMessages) }

// ServerTypes returns the types of the messages the server may send. The slice
// is the caller's own.
func ServerTypes() []Type { return namesOf(serverMessages) }

func namesOf[M Message](kinds []messageKind[M]) []Type {
	names := make([]Type, 0, len(kinds))
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}
