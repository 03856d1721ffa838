package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"
)

// Encode writes a message of either direction as one JSON object with its type.
// It refuses one that does not validate, so that what was encoded can be
// decoded. The bytes are the caller's own.
func Encode(m Message) ([]byte, error) {
	if err := Validate(m); err != nil {
		return nil, fmt.Errorf("encode %s: %w", TypeOf(m), err)
	}
	out := drafts.Get().(*bytes.Buffer)
	defer drafts.Put(out)
	out.Reset()
	out.WriteString(`{"type":"`)
	out.WriteString(string(TypeOf(m)))
	out.WriteByte('"')
	head := out.Len()
	enc := json.NewEncoder(out)
	// SDP and names are no HTML, and escaping them could triple their length.
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tidy(m)); err != nil {
		return nil, fmt.Errorf("encode %s: %w", TypeOf(m), err)
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
// and refuses a field that occurs twice (see [CheckFields]). The error is an [Error] which carries the request's id if that could be
// read: [CodeTooLarge], [CodeBadRequest], [CodeUnknownType] or
// [CodeUnsupportedVersion]. data is not kept.
func DecodeClient(data []byte) (ClientMessage, error) {
	m, err := decode(data, clientMessages)
	if err != nil {
		return nil, err
	}
	if err := CheckFields(data); err != nil {
		return nil, withID(err, RequestID(m))
	}
	return m, nil
}

// DecodeServer reads a message from the server, as [DecodeClient] does from a
// client. A client should skip a message whose error has [CodeUnknownType]: it
// comes from a newer server.
func DecodeServer(data []byte) (ServerMessage, error) {
	return decode(data, serverMessages)
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

func decode[M Message](data []byte, kinds []messageKind[M]) (M, error) {
	var none M
	if len(data) > MaxMessage {
		return none, NewError(CodeTooLarge, fmt.Sprintf("the message is longer than %d bytes", MaxMessage))
	}
	if err := checkShape(data); err != nil {
		return none, err
	}
	if k := kindAtStart(data, kinds); k != nil {
		if m, err := k.read(data); err == nil {
			return m, nil
		} // the error is made below, with the id
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
		return none, withID(FieldError("type", "is missing"), id)
	}
	for _, k := range kinds {
		if k.name != head.Type {
			continue
		}
		m, err := k.read(data)
		if err != nil {
			return none, withID(err, id)
		}
		return m, nil
	}
	return none, Error{ID: id, Code: CodeUnknownType, Message: fmt.Sprintf("no message type %.64q from this side", head.Type)}
}

// kindAtStart returns the kind of a message that begins with its type, as [Encode]
// writes it, so that it need not be read twice; nil if the type is elsewhere.
func kindAtStart[M Message](data []byte, kinds []messageKind[M]) *messageKind[M] {
	rest, ok := bytes.CutPrefix(data, []byte(`{"type":"`))
	if !ok {
		return nil
	}
	name, rest, ok := bytes.Cut(rest[:min(len(rest), MaxID)], []byte{'"'})
	if !ok || len(rest) == 0 || rest[0] != ',' && rest[0] != '}' {
		return nil
	}
	for i := range kinds {
		if string(name) == string(kinds[i].name) {
			return &kinds[i]
		}
	}
	return nil
}

// read decodes and validates a message of the kind.
func (k messageKind[M]) read(data []byte) (M, error) {
	var none M
	m, err := k.decode(data)
	if err != nil {
		return none, err
	}
	if err := Validate(m); err != nil {
		return none, err
	}
	return m, nil
}

// unmarshal decodes one struct.
func unmarshal[T Message, M Message](data []byte) (M, error) {
	var m T
	if err := json.Unmarshal(data, &m); err != nil {
		var none M
		return none, jsonError(err)
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
		if len(m.Applause) == 0 {
			m.Applause = nil
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
		return FieldError(kind.Field, "must not be a JSON %.40s", kind.Value)
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
