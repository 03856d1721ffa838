package wire

import (
	"net/http"

	"github.com/earshot-audio/earshot/internal/printable"
)

// Code is the stable name of an error, the same over WebSocket and HTTP.
// Programs decide by the code; the message beside it is for people.
type Code string

// The codes. Each has one row in the table behind [Codes].
const (
	CodeBadRequest           Code = "bad_request"
	CodeUnknownType          Code = "unknown_type"
	CodeUnsupportedVersion   Code = "unsupported_version"
	CodeUnauthorized         Code = "unauthorized"
	CodeForbidden            Code = "forbidden"
	CodeBarred               Code = "barred"
	CodeNotFound             Code = "not_found"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeNotAcceptable        Code = "not_acceptable"
	CodeConflict             Code = "conflict"
	CodeRoomFull             Code = "room_full"
	CodeStageFull            Code = "stage_full"
	CodeAccountLimit         Code = "account_limit"
	CodeRoomEnded            Code = "room_ended"
	CodeInviteUnavailable    Code = "invite_unavailable"
	CodePreconditionFailed   Code = "precondition_failed"
	CodeTooLarge             Code = "too_large"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeUnprocessable        Code = "unprocessable"
	CodePreconditionRequired Code = "precondition_required"
	CodeRateLimited          Code = "rate_limited"
	CodeInternal             Code = "internal"
	CodeNotImplemented       Code = "not_implemented"
	CodeUnavailable          Code = "unavailable"
)

// CodeInfo is one row of the error table.
type CodeInfo struct {
	Code Code
	// Status is the HTTP status an HTTP answer with this code has.
	Status int
	// Message is a text that is safe to show to anybody: it says nothing about
	// the server or other people.
	Message string
}

// codeTable has one row a code, in the order of the HTTP status.
var codeTable = []CodeInfo{
	{CodeBadRequest, http.StatusBadRequest, "the request is malformed"},
	{CodeUnknownType, http.StatusBadRequest, "the message type is unknown"},
	{CodeUnsupportedVersion, http.StatusBadRequest, "the protocol version is not supported"},
	{CodeUnauthorized, http.StatusUnauthorized, "a valid token is needed"},
	{CodeForbidden, http.StatusForbidden, "not allowed in this role"},
	{CodeBarred, http.StatusForbidden, "put out of this room"},
	{CodeNotFound, http.StatusNotFound, "there is no such thing here"},
	{CodeMethodNotAllowed, http.StatusMethodNotAllowed, "this method is not allowed here"},
	{CodeNotAcceptable, http.StatusNotAcceptable, "no acceptable representation can be given"},
	{CodeConflict, http.StatusConflict, "the request does not fit the present state"},
	{CodeRoomFull, http.StatusConflict, "the room has no seat left"},
	{CodeStageFull, http.StatusConflict, "the stage has no place left"},
	{CodeAccountLimit, http.StatusConflict, "you have as many of these as you may have"},
	{CodeRoomEnded, http.StatusGone, "the room has ended"},
	{CodeInviteUnavailable, http.StatusGone, "the invite is not available"},
	{CodePreconditionFailed, http.StatusPreconditionFailed, "the state has changed since"},
	{CodeTooLarge, http.StatusRequestEntityTooLarge, "the request is too large"},
	{CodeUnsupportedMediaType, http.StatusUnsupportedMediaType, "the content type is not supported"},
	{CodeUnprocessable, http.StatusUnprocessableEntity, "the request is well-formed but cannot be served"},
	{CodePreconditionRequired, http.StatusPreconditionRequired, "the request must state a condition"},
	{CodeRateLimited, http.StatusTooManyRequests, "too many requests"},
	{CodeInternal, http.StatusInternalServerError, "the server failed"},
	{CodeNotImplemented, http.StatusNotImplemented, "the server cannot do this"},
	{CodeUnavailable, http.StatusServiceUnavailable, "the server cannot serve this now"},
}

// Codes returns the error table: one row a code, ordered by HTTP status. The
// slice is the caller's own.
func Codes() []CodeInfo {
	return append([]CodeInfo(nil), codeTable...)
}

// Info returns the code's row. An unknown code gets the row of [CodeInternal],
// and false.
func (c Code) Info() (CodeInfo, bool) {
	for _, row := range codeTable {
		if row.Code == c {
			return row, true
		}
	}
	return CodeInfo{CodeInternal, http.StatusInternalServerError, "the server failed"}, false
}

// Status returns the HTTP status of the code; 500 for an unknown one.
func (c Code) Status() int {
	row, _ := c.Info()
	return row.Status
}

// Message returns the code's safe text.
func (c Code) Message() string {
	row, _ := c.Info()
	return row.Message
}

// Error is the server's refusal. It is a message of the protocol and a Go error
// at once, so that a client can hand a received one on, and the server can send
// one it was given. errors.As finds it as a value:
//
//	var refusal wire.Error
//	if errors.As(err, &refusal) && refusal.Code == wire.CodeRoomFull { … }
type Error struct {
	fromServer
	// ID is the id of the request it answers; empty for one without an id.
	ID string `json:"id,omitempty"`
	// Code is what programs decide by.
	Code Code `json:"code"`
	// Message is for people. It holds nothing secret.
	Message string `json:"message"`
}

// NewError returns a refusal with the given code. An empty text is replaced by
// the code's own.
func NewError(code Code, text string) Error {
	if text == "" {
		text = code.Message()
	}
	return Error{Code: code, Message: text}
}

// Error returns "code: message" on one line: the text may be somebody else's.
func (e Error) Error() string { return printable.Line(string(e.Code) + ": " + e.Message) }

// Is reports whether two refusals have the same code, whatever
// their text, for errors.Is.
func (e Error) Is(target error) bool {
	other, ok := target.(Error)
	return ok && other.Code == e.Code
}

// ErrorBody is the body of every HTTP answer that refuses:
// {"error":{"code":"…","message":"…"}}.
type ErrorBody struct {
	Error ErrorDetail `json:"error"`
}

// ErrorDetail is the inside of an [ErrorBody].
type ErrorDetail struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}
