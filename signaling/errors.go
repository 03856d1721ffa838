package signaling

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"unicode"

	"github.com/earshot-audio/earshot/room"
	"github.com/earshot-audio/earshot/room/rtc"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// refusals tells which code an error of the layers below is answered with.
var refusals = []struct {
	err  error
	code wire.Code
	// text replaces the code's own where it would say too little.
	text string
}{
	{room.ErrFull, wire.CodeRoomFull, ""},
	{room.ErrStageFull, wire.CodeStageFull, ""},
	{room.ErrEnded, wire.CodeRoomEnded, ""},
	{room.ErrForbidden, wire.CodeForbidden, ""},
	{room.ErrHidden, wire.CodeNotFound, errNoRoom.Message},
	{room.ErrBlocked, wire.CodeBarred, ""},
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
	{store.ErrNotFound, wire.CodeNotFound, ""},
	{rtc.ErrClosed, wire.CodeRoomEnded, ""},
	{context.DeadlineExceeded, wire.CodeUnavailable, "the server took too long"},
	{context.Canceled, wire.CodeUnavailable, "the request was given up"},
}

// refuse turns any error into what may be told to a client. Errors that have no
// code of their own are logged and told as internal.
func refuse(log *slog.Logger, err error) wire.Error {
	refusal, known := refusalOf(err)
	if !known {
		log.Error("request failed", "err", err)
	}
	return refusal
}

// refusalOf returns what an error is told as, and whether it has a code of its
// own.
func refusalOf(err error) (wire.Error, bool) {
	var refusal wire.Error
	if errors.As(err, &refusal) {
		return refusal, true
	}
	// What is wrong with an offer is the client's to know: the text quotes
	// nothing but the offer.
	switch {
	case errors.Is(err, rtc.ErrNoAudio), errors.Is(err, rtc.ErrRestart):
		return wire.NewError(wire.CodeUnprocessable, clip(err.Error())), true
	case errors.Is(err, rtc.ErrBadOffer), errors.Is(err, rtc.ErrBadFragment):
		return wire.NewError(wire.CodeBadRequest, clip(err.Error())), true
	}
	for _, row := range refusals {
		if errors.Is(err, row.err) {
			return wire.NewError(row.code, row.text), true
		}
	}
	return wire.NewError(wire.CodeInternal, ""), false
}

// clip shortens a text that quotes a client to what an error may hold, and takes
// out what a terminal or a log should not be given.
func clip(text string) string {
	const most = wire.MaxText / 2
	if len(text) > most {
		text = text[:most]
	}
	text = strings.ToValidUTF8(text, "")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// writeError answers an HTTP request with a refusal.
func writeError(w http.ResponseWriter, refusal wire.Error) {
	if refusal.Code == wire.CodeUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, refusal.Code.Status(), wire.ErrorBody{Error: wire.ErrorDetail{Code: refusal.Code, Message: refusal.Message}})
}

// writeJSON answers an HTTP request with a JSON body.
func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		// Only types of this package come here, and all of them can be encoded.
		http.Error(w, `{"error":{"code":"internal","message":"the server failed"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}
