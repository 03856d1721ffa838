package api

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/earshot-audio/earshot/internal/portrait"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/club"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// profileInfo is what somebody shows of themselves.
type profileInfo struct {
	// Profile is its id, as in the stage of a room.
	Profile string `json:"profile"`
	Name    string `json:"name"`
	About   string `json:"about,omitempty"`
	// Picture is its name: it is at /pictures/NAME.
	Picture string `json:"picture,omitempty"`
	// Following reports whether the principal follows them.
	Following bool `json:"following,omitempty"`
	// Self reports whether it is the principal's own.
	Self bool `json:"self,omitempty"`
}

// profileHandlers serve what members show of themselves, and whom they follow.
type profileHandlers struct{ *API }

func (a *API) profiles() club.Profiles { return club.Profiles{Club: a.Club} }

// profileOf is what an account shows of itself.
func profileOf(shown store.Account) profileInfo {
	return profileInfo{Profile: shown.ID, Name: shown.Name, About: shown.About, Picture: shown.Picture}
}

func (a profileHandlers) infoOf(who auth.Principal, shown store.Account) profileInfo {
	info := profileOf(shown)
	if own, err := a.Club.Store.Account(who.Account); err == nil && who.Member {
		info.Self = own.ID == shown.ID
		info.Following = slices.Contains(own.Following, shown.ID)
	}
	return info
}

// set serves PUT /api/me/profile. What is left out stays.
func (a profileHandlers) set(w http.ResponseWriter, r *http.Request) error {
	who, err := a.countedPrincipal(r)
	if err != nil {
		return err
	}
	var body struct {
		Name  *string `json:"name"`
		About *string `json:"about"`
	}
	if err := readBody(w, r, &body); err != nil {
		return err
	}
	for _, text := range []*string{body.Name, body.About} {
		if text != nil {
			*text = strings.TrimSpace(*text)
		}
	}
	switch {
	case body.Name != nil && *body.Name == "":
		return wire.FieldError("name", "is empty")
	case body.Name != nil && !wire.ValidName(*body.Name):
		return apierr.NameField()
	case body.About != nil && !wire.ValidAbout(*body.About):
		return wire.FieldError("about", "%s", wire.AboutProblem)
	}
	own, err := a.profiles().Set(r.Context(), who, body.Name, body.About)
	if err != nil {
		return err
	}
	apierr.WriteJSON(w, http.StatusOK, a.infoOf(who, own))
	return nil
}

// setPicture serves PUT /api/me/picture: what is kept is written anew, see [portrait.Make].
func (a profileHandlers) setPicture(w http.ResponseWriter, r *http.Request) error {
	who, err := a.countedPrincipal(r)
	if err != nil {
		return err
	}
	if kind := r.Header.Get("Content-Type"); kind != "image/jpeg" && kind != "image/png" {
		return wire.NewError(wire.CodeUnsupportedMediaType, "the Content-Type must be image/jpeg or image/png")
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, portrait.MaxUpload))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return bodyError(err)
	case err != nil:
		return wire.NewError(wire.CodeBadRequest, "the body did not arrive")
	case !who.Member:
		data = nil // which is refused below, and no picture is read for
	default:
		if data, err = portrait.Make(data); err != nil {
			return wire.NewError(wire.CodeUnprocessable, "the picture "+err.Error())
		}
	}
	return a.answerPicture(w, r, who, data)
}

// removePicture serves DELETE /api/me/picture.
func (a profileHandlers) removePicture(w http.ResponseWriter, r *http.Request) error {
	who, err := a.countedPrincipal(r)
	if err != nil {
		return err
	}
	return a.answerPicture(w, r, who, nil)
}

func (a profileHandlers) answerPicture(w http.ResponseWriter, r *http.Request, who auth.Principal, data []byte) error {
	own, err := a.profiles().SetPicture(r.Context(), who, data)
	if err != nil {
		return err
	}
	apierr.WriteJSON(w, http.StatusOK, a.infoOf(who, own))
	return nil
}

// show serves GET /api/profiles/{profile}, for anybody with a token.
func (a profileHandlers) show(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	shown, err := a.profiles().Find(r.PathValue("profile"))
	if err != nil {
		return err
	}
	apierr.WriteJSON(w, http.StatusOK, a.infoOf(who, shown))
	return nil
}

// clear serves DELETE /api/profiles/{profile}, for the operator.
func (a profileHandlers) clear(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	if err := a.profiles().Clear(r.Context(), who, r.PathValue("profile")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// picture serves GET /pictures/{picture}, for whoever knows its name: what a page shows
// has no token. One that is replaced has another name.
func (a profileHandlers) picture(w http.ResponseWriter, r *http.Request) error {
	if err := a.Limiter.Request(a.Limiter.Origin(r)); err != nil {
		return err
	}
	data, err := a.profiles().Picture(r.Context(), r.PathValue("picture"))
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", portrait.Type)
	header.Set("Cache-Control", "private, max-age=3600")
	header.Set("Cross-Origin-Resource-Policy", "same-site")
	_, _ = w.Write(data) // who has hung up needs no answer
	return nil
}

// following serves GET /api/me/following.
func (a profileHandlers) following(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	all, err := a.profiles().Following(who)
	if err != nil {
		return err
	}
	list := []profileInfo{}
	for _, shown := range all {
		info := profileOf(shown)
		info.Following = true
		list = append(list, info)
	}
	apierr.WriteJSON(w, http.StatusOK, map[string][]profileInfo{"following": list})
	return nil
}

// follow serves PUT /api/me/following/{profile}, and unfollow DELETE.
func (a profileHandlers) follow(w http.ResponseWriter, r *http.Request) error {
	return a.setFollow(w, r, true)
}

func (a profileHandlers) unfollow(w http.ResponseWriter, r *http.Request) error {
	return a.setFollow(w, r, false)
}

func (a profileHandlers) setFollow(w http.ResponseWriter, r *http.Request, follow bool) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	if err := a.profiles().Follow(r.Context(), who, r.PathValue("profile"), follow); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
