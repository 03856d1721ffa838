package api

import (
	"net/http"
	"strings"

	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/club"
	"github.com/earshot-audio/earshot/signaling/wire"
)

// redeemed is the answer to a redemption.
type redeemed struct {
	club.SignedIn
	// To is "room" or "club".
	To string `json:"to"`
	// Key is the login key of a new account. It is shown this once.
	Key string `json:"key,omitempty"`
}

// signInHandlers serve what gives somebody a token, and shows whose it is.
type signInHandlers struct{ *API }

// redeem serves POST /api/invites/{code}/redeem. What can be wrong with the request
// itself is checked first. From there on every code that admits nobody takes the
// same path to the same answer.
func (a signInHandlers) redeem(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Name string `json:"name"`
	}
	if err := a.read(w, r, &body); err != nil {
		return err
	}
	var who auth.Principal
	token, err := auth.Bearer(r)
	if err == nil && token != "" {
		who, err = a.Auth.Authenticate(token)
	}
	if err != nil {
		return err
	}
	if !wire.ValidName(body.Name) {
		return apierr.NameField()
	}
	got, err := a.Club.Redeem(r.Context(), who, r.PathValue("code"), strings.TrimSpace(body.Name))
	if err != nil {
		return a.countFailure(r, err)
	}
	answer := redeemed{SignedIn: got.SignedIn, To: toRoom, Key: got.Key}
	if got.ToClub {
		answer.To = toClub
	}
	apierr.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// read counts a request and reads its body.
func (a signInHandlers) read(w http.ResponseWriter, r *http.Request, body any) error {
	if err := a.Limiter.Request(a.Limiter.Origin(r)); err != nil {
		return err
	}
	return readBody(w, r, body)
}

// countFailure counts a sign-in by a code, a key or a token that is no good, by address,
// and returns the error to answer with. What is good is not counted so: many people may
// be behind one address, and one who guesses must not lock out the others.
func (a *API) countFailure(r *http.Request, err error) error {
	if refusal, _ := apierr.Lookup(err); refusal.Code != wire.CodeInviteUnavailable && refusal.Code != wire.CodeUnauthorized {
		return err
	}
	if limited := a.Limiter.SignIn(a.Limiter.Origin(r)); limited != nil {
		return limited
	}
	return err
}

// login serves POST /api/login.
func (a signInHandlers) login(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Key string `json:"key"`
	}
	if err := a.read(w, r, &body); err != nil {
		return err
	}
	signedIn, err := a.Club.Login(r.Context(), body.Key, a.Limiter.Origin(r))
	if err != nil {
		return a.countFailure(r, err)
	}
	apierr.WriteJSON(w, http.StatusOK, signedIn)
	return nil
}

// refresh serves POST /api/refresh.
func (a signInHandlers) refresh(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Token string `json:"refresh_token"`
	}
	if err := a.read(w, r, &body); err != nil {
		return err
	}
	signedIn, err := a.Club.Refresh(body.Token, a.Limiter.Origin(r))
	if err != nil {
		return a.countFailure(r, err)
	}
	apierr.WriteJSON(w, http.StatusOK, signedIn)
	return nil
}
