package apierr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"unicode"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// Refusals that several packages give.
var (
	// ErrNoRoom refuses a room that does not exist, or that the client may not
	// know of: the two must look the same.
	ErrNoRoom = wire.NewError(wire.CodeNotFound, "there is no such room")
	// ErrNoPlan refuses a planned room that does not exist.
	ErrNoPlan = wire.NewError(wire.CodeNotFound, "there is no such planned room")
	// ErrShuttingDown refuses requests during a shutdown.
	ErrShuttingDown = wire.NewError(wire.CodeUnavailable, "the server is shutting down")
	// ErrInviteUnavailable refuses an invite that admits nobody, for any reason.
	ErrInviteUnavailable = wire.NewError(wire.CodeInviteUnavailable, "")
)

// table maps errors of the layers below to codes.
var table = []struct {
	err  error
	code wire.Code
	// text replaces the code's own text where that says too little.
	text string
}{
	{room.ErrFull, wire.CodeRoomFull, ""},
	{room.ErrStageFull, wire.CodeStageFull, ""},
	{room.ErrEnded, wire.CodeRoomEnded, ""},
	{room.ErrForbidden, wire.CodeForbidden, ""},
	{room.ErrHidden, wire.CodeNotFound, ErrNoRoom.Message},
	{room.ErrBlocked, wire.CodeBarred, ""},
	{room.ErrRemembered, wire.CodeConflict, "this room remembers as many people who were put out, muted, promoted or demoted as it can; make another"},
	{room.ErrHandPolicy, wire.CodeForbidden, "hands may not be raised here"},
	{room.ErrNotInvited, wire.CodeConflict, "no invitation to the stage waits for an answer"},
	{room.ErrMediaOnly, wire.CodeUnprocessable, "a member without signaling cannot do that"},
	{room.ErrNotMember, wire.CodeNotFound, "there is no such member in the room"},
	{room.ErrAlreadyMember, wire.CodeConflict, "already in the room"},
	{room.ErrNotOnStage, wire.CodeConflict, "not on stage"},
	{room.ErrOnStage, wire.CodeConflict, "already on stage"},
	{room.ErrRole, wire.CodeUnprocessable, "the role cannot be given"},
	{store.ErrUnavailable, wire.CodeInviteUnavailable, ""},
	{store.ErrKey, wire.CodeUnauthorized, "the login key is not valid"},
	{store.ErrBudget, wire.CodeConflict, "there are no invites left to give"},
	{store.ErrFollowing, wire.CodeAccountLimit, fmt.Sprintf("you follow %d people, as many as may be", store.MaxFollowing)},
	{store.ErrNotFound, wire.CodeNotFound, ""},
	{store.ErrLost, wire.CodeUnavailable, "another server has taken over; this one keeps nothing any more"},
	{store.ErrLapsed, wire.CodeUnavailable, "the server's store does not answer; try again"},
	{store.ErrFailed, wire.CodeUnavailable, "the server's store has failed"},
	{rtc.ErrClosed, wire.CodeRoomEnded, ""},
	{context.DeadlineExceeded, wire.CodeUnavailable, "the server took too long"},
	{context.Canceled, wire.CodeUnavailable, "the request was given up"},
}

// NameField refuses a person's or a room's name that [wire.ValidName] does not
// accept.
func NameField() error {
	return wire.FieldError("name", "%s", wire.NameProblem)
}

// Convert returns the error that a client is told. An error that has no code is
// logged, and the client is told that the server failed.
func Convert(log *slog.Logger, err error) wire.Error {
	refusal, known := Lookup(err)
	if !known {
		log.Error("request failed", "error", err)
	}
	return refusal
}

// Lookup returns the error that a client is told, and whether err has a code of
// its own: if not, the code is [wire.CodeInternal].
func Lookup(err error) (refusal wire.Error, known bool) {
	if errors.As(err, &refusal) {
		return refusal, true
	}
	// The client may know what is wrong with its offer: the text quotes nothing
	// else.
	switch {
	case errors.Is(err, rtc.ErrNoAudio), errors.Is(err, rtc.ErrRestart):
		return wire.NewError(wire.CodeUnprocessable, clip(err.Error())), true
	case errors.Is(err, rtc.ErrBadOffer), errors.Is(err, rtc.ErrBadFragment):
		return wire.NewError(wire.CodeBadRequest, clip(err.Error())), true
	}
	for _, row := range table {
		if errors.Is(err, row.err) {
			return wire.NewError(row.code, row.text), true
		}
	}
	return wire.NewError(wire.CodeInternal, ""), false
}

// clip shortens a text that quotes a client to what an error may hold, and
// removes control characters, which a terminal or a log should not receive.
func clip(text string) string {
	const longest = wire.MaxText / 2
	if len(text) > longest {
		text = text[:longest]
	}
	text = strings.ToValidUTF8(text, "")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// Write answers an HTTP request with an error.
func Write(w http.ResponseWriter, log *slog.Logger, err error) {
	var limited auth.RateLimited
	if errors.As(err, &limited) {
		w.Header().Set("Retry-After", limited.Seconds())
	}
	refusal := Convert(log, err)
	if refusal.Code == wire.CodeUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	WriteJSON(w, refusal.Code.Status(), wire.ErrorBody{Error: wire.ErrorDetail{Code: refusal.Code, Message: refusal.Message}})
}

// WriteJSON answers an HTTP request with a JSON body.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		// All types that are passed here can be encoded.
		http.Error(w, `{"error":{"code":"internal","message":"the server failed"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}
