package wire

// EncodedMessage is one message in the form in which it is sent. It is immutable,
// so that one copy can wait in the queues of many connections at once.
type EncodedMessage struct {
	Type Type
	Data []byte
}

// NewEncoded encodes a message.
func NewEncoded(m ServerMessage) (*EncodedMessage, error) {
	data, err := Encode(m)
	if err != nil {
		return nil, err
	}
	return &EncodedMessage{Type: TypeOf(m), Data: data}, nil
}
