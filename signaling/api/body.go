package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/earshot-audio/earshot/internal/plaintext"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// MaxBody is the longest JSON body in bytes.
const MaxBody = 16 << 10

// readBody decodes a JSON body strictly: its type, its size, its fields.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return wire.NewError(wire.CodeUnsupportedMediaType, "the Content-Type must be application/json")
	}
	var text bytes.Buffer
	body := bufio.NewReader(http.MaxBytesReader(w, r.Body, MaxBody))
	if start, _ := body.Peek(len(plaintext.Mark)); len(start) > 0 {
		_, _ = body.Discard(len(start) - len(plaintext.Trim(start))) // it has been read
	}
	dec := json.NewDecoder(io.TeeReader(body, &text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return bodyError(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bodyError(err)
	}
	return wire.CheckFields(text.Bytes())
}

// bodyError says what is wrong with a body; nil stands for a second JSON value.
func bodyError(err error) error {
	var long *http.MaxBytesError
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &long):
		return wire.NewError(wire.CodeTooLarge, fmt.Sprintf("the body is longer than %d bytes", long.Limit))
	case errors.As(err, &kind) && kind.Field == "":
		return wire.NewError(wire.CodeBadRequest, "the body must be a JSON object")
	case errors.As(err, &kind):
		return wire.FieldError(kind.Field, "must not be a JSON %.40s", kind.Value)
	case errors.As(err, &syntax):
		return wire.NewError(wire.CodeBadRequest, fmt.Sprintf("the body is not valid JSON at byte %d", syntax.Offset))
	case err == nil:
		return wire.NewError(wire.CodeBadRequest, "the body holds more than one JSON value")
	}
	// An unknown field has no error type of its own, only this text.
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return wire.NewError(wire.CodeBadRequest, fmt.Sprintf("there is no field %.80s", field))
	}
	return wire.NewError(wire.CodeBadRequest, "the body is not valid JSON")
}
