package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"
)

// decoder reads one type of message.
type decoder[M Message] struct {
	name   Type
	decode func([]byte) (M, error)
}

var clientDecoders = []decoder[ClientMessage]{
	{TypeHello, read[Hello, ClientMessage]},
	{TypeJoin, read[Join, ClientMessage]},
	{TypeOffer, read[Offer, ClientMessage]},
	{TypeHangup, read[Hangup, ClientMessage]},
	{TypeLeave, read[Leave, ClientMessage]},
	{TypeMute, read[Mute, ClientMessage]},
	{TypePromote, read[Promote, ClientMessage]},
	{TypeDemote, read[Demote, ClientMessage]},
	{TypeRemove, read[Remove, ClientMessage]},
	{TypeRaiseHand, read[RaiseHand, ClientMessage]},
	{TypeLowerHand, read[LowerHand, ClientMessage]},
	{TypeEnd, read[End, ClientMessage]},
	{TypeResume, read[Resume, ClientMessage]},
	{TypeSetRules, read[SetRules, ClientMessage]},
	{TypeInviteToStage, read[InviteToStage, ClientMessage]},
	{TypeAcceptStage, read[AcceptStage, ClientMessage]},
	{TypeDeclineStage, read[DeclineStage, ClientMessage]},
	{TypePassHost, read[PassHost, ClientMessage]},
	{TypeBan, read[Ban, ClientMessage]},
	{TypeUnban, read[Unban, ClientMessage]},
}

var serverDecoders = []decoder[ServerMessage]{
	{TypeWelcome, read[Welcome, ServerMessage]},
	{TypeJoined, read[Joined, ServerMessage]},
	{TypeAnswer, read[Answer, ServerMessage]},
	{TypeOK, read[OK, ServerMessage]},
	{TypePresence, read[Presence, ServerMessage]},
	{TypeTalkers, read[Talkers, ServerMessage]},
	{TypeRole, read[RoleChanged, ServerMessage]},
	{TypeMuted, read[Muted, ServerMessage]},
	{TypeMediaClosed, read[MediaClosed, ServerMessage]},
	{TypeError, read[Error, ServerMessage]},
	{TypeGoodbye, read[Goodbye, ServerMessage]},
	{TypeResumed, read[Resumed, ServerMessage]},
	{TypeStageInvite, read[StageInvite, ServerMessage]},
	{TypeStageInviteClosed, read[StageInviteClosed, ServerMessage]},
	{TypeGuestLapsed, read[GuestLapsed, ServerMessage]},
	{TypeHostChanged, read[HostChanged, ServerMessage]},
}

// Encode writes a message of either direction as one JSON object with its type.
// It refuses one that does not validate, so that what was encoded can be
// decoded. The bytes are the caller's own.
func Encode(m Message) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.Type(), err)
	}
	out := drafts.Get().(*bytes.Buffer)
	defer drafts.Put(out)
	out.Reset()
	out.WriteString(`{"type":"`)
	out.WriteString(string(m.Type()))
	out.WriteByte('"')
	head := out.Len()
	enc := json.NewEncoder(out)
	// SDP and names are no HTML, and escaping them could triple their length.
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tidy(m)); err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.Type(), err)
	}
	data := bytes.TrimRight(out.Bytes(), "\n")
	if len(data) == head+len("{}") {
		data = append(data[:head], '}')
	} else {
		data[head] = ','
	}
	if len(data) > MaxMessage {
		return nil, NewError(CodeTooLarge, fmt.Sprintf("the message is longer than %d bytes", MaxMessage))
	}
	return bytes.Clone(data), nil
}

// drafts are the buffers that messages are encoded in.
var drafts = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// DecodeClient reads a message from a client. It is strict about what it knows
// (types of values, lengths, required fields), ignores fields it does not know,
// and refuses a field that stands twice (see [CheckFields]). The error is an [Error] which carries the request's id if that could be
// read: [CodeTooLarge], [CodeBadRequest], [CodeUnknownType] or
// [CodeUnsupportedVersion]. data is not kept.
func DecodeClient(data []byte) (ClientMessage, error) {
	m, err := decode(data, clientDecoders)
	if err != nil {
		return nil, err
	}
	if err := CheckFields(data); err != nil {
		return nil, withID(err, m.RequestID())
	}
	return m, nil
}

// DecodeServer reads a message from the server, as [DecodeClient] does from a
// client. A client should skip a message whose error has [CodeUnknownType]: it
// comes from a newer server.
func DecodeServer(data []byte) (ServerMessage, error) {
	return decode(data, serverDecoders)
}

// Decode reads a message of either direction. Servers and clients use
// [DecodeClient] and [DecodeServer], which refuse the other direction.
func Decode(data []byte) (Message, error) {
	m, err := DecodeClient(data)
	if !errors.Is(err, Error{Code: CodeUnknownType}) {
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	reply, err := DecodeServer(data)
	if err != nil {
		return nil, err
	}
	return reply, nil
}

func decode[M Message](data []byte, table []decoder[M]) (M, error) {
	var none M
	if len(data) > MaxMessage {
		return none, NewError(CodeTooLarge, fmt.Sprintf("the message is longer than %d bytes", MaxMessage))
	}
	if err := checkShape(data); err != nil {
		return none, err
	}
	if row := begins(data, table); row != nil {
		if m, err := row.decode(data); err == nil {
			return m, nil
		} // else the error is told below, with the id
	}
	var head struct {
		Type Type            `json:"type"`
		ID   json.RawMessage `json:"id"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return none, jsonError(err)
	}
	// The id is read apart, so that a bad one does not hide the rest.
	var id string
	if json.Unmarshal(head.ID, &id) != nil || checkWord("id", id, MaxID, false) != nil {
		id = ""
	}
	if head.Type == "" {
		return none, withID(badField("type", "is missing"), id)
	}
	for _, row := range table {
		if row.name != head.Type {
			continue
		}
		m, err := row.decode(data)
		if err != nil {
			return none, withID(err, id)
		}
		return m, nil
	}
	return none, Error{ID: id, Code: CodeUnknownType, Message: fmt.Sprintf("no message type %.64q from this side", head.Type)}
}

// begins is the row of a message that begins with its type, as [Encode] writes it,
// so that it need not be read twice; nil: the type is still to be found.
func begins[M Message](data []byte, table []decoder[M]) *decoder[M] {
	rest, ok := bytes.CutPrefix(data, []byte(`{"type":"`))
	if !ok {
		return nil
	}
	name, rest, ok := bytes.Cut(rest[:min(len(rest), MaxID)], []byte{'"'})
	if !ok || len(rest) == 0 || rest[0] != ',' && rest[0] != '}' {
		return nil
	}
	for i := range table {
		if string(name) == string(table[i].name) {
			return &table[i]
		}
	}
	return nil
}

// read decodes and validates one struct.
func read[T Message, M Message](data []byte) (M, error) {
	var none M
	var m T
	if err := json.Unmarshal(data, &m); err != nil {
		return none, jsonError(err)
	}
	if err := m.Validate(); err != nil {
		return none, err
	}
	return tidy(Message(m)).(M), nil
}

// tidy puts empty lists in the place of missing ones where the protocol says
// that the list is always there.
func tidy(m Message) Message {
	switch m := m.(type) {
	case Joined:
		if m.Stage == nil {
			m.Stage = []StageMember{}
		}
		if m.Talkers == nil {
			m.Talkers = []uint32{}
		}
		if len(m.Hands) == 0 {
			m.Hands = nil
		}
		return m
	case Resumed:
		if len(m.StageChanges) == 0 {
			m.StageChanges = nil
		}
		if m.Talkers == nil {
			m.Talkers = []uint32{}
		}
		if len(m.Hands) == 0 {
			m.Hands = nil
		}
		return m
	case Presence:
		if len(m.StageChanges) == 0 {
			m.StageChanges = nil
		}
		return m
	case Talkers:
		if m.Talkers == nil {
			m.Talkers = []uint32{}
		}
		return m
	}
	return m
}

// checkShape refuses what is not one JSON object in valid UTF-8 of a sane
// depth, before anything is allocated for it.
func checkShape(data []byte) error {
	if !utf8.Valid(data) {
		return NewError(CodeBadRequest, "the message is not valid UTF-8")
	}
	if body := bytes.TrimLeft(data, " \t\r\n"); len(body) == 0 || body[0] != '{' {
		return NewError(CodeBadRequest, "the message is not a JSON object")
	}
	depth, quoted, escaped := 0, false, false
	for _, c := range data {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped = c == '\\'
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return NewError(CodeBadRequest, fmt.Sprintf("the message nests deeper than %d levels", MaxDepth))
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// jsonError turns an error of encoding/json into a refusal that says where.
func jsonError(err error) error {
	var refusal Error
	if errors.As(err, &refusal) {
		return refusal
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return NewError(CodeBadRequest, fmt.Sprintf("the message is not valid JSON at byte %d", syntax.Offset))
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return badField(kind.Field, "must not be a JSON %.40s", kind.Value)
	}
	return NewError(CodeBadRequest, "the message is not valid JSON")
}

func withID(err error, id string) error {
	var refusal Error
	if errors.As(err, &refusal) {
		refusal.ID = id
		return refusal
	}
	return err
}
