package api

import (
	"log/slog"
	"net/http"
	"net/url"

	"github.com/earshot-audio/earshot/internal/language"
	"github.com/earshot-audio/earshot/signaling/access"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/club"
	"github.com/earshot-audio/earshot/signaling/liveroom"
)

// API serves the HTTP API. All fields but PublicURL, Counted, NotFound and Languages are required. It is safe for concurrent use.
type API struct {
	// Open lets everybody create rooms, under IDs that they choose.
	Open    bool
	Auth    *auth.Authenticator
	Limiter *auth.Limiter
	Access  *access.Policy
	Rooms   *liveroom.Registry
	Club    *club.Club
	// PublicURL is the server's, in links; nil: what the request says.
	PublicURL *url.URL
	// Counted reports whether another server of the cluster has counted a request; nil:
	// none has.
	Counted func(*http.Request) bool
	// NotFound answers a request for nothing that there is: a browser's with a page. Nil: all
	// get an error as JSON.
	NotFound http.HandlerFunc
	// Languages has the texts of what programs read that preview links, and of calendar files; nil:
	// those are shown by their keys.
	Languages *language.Languages
	Log       *slog.Logger
}

// Routes returns the handlers of the API by their paths, as patterns of an
// http.ServeMux.
func (a *API) Routes() map[string]http.Handler {
	rooms, invites, members, signIn, account := roomHandlers{a}, inviteHandlers{a}, memberHandlers{a}, signInHandlers{a}, accountHandlers{a}
	plans, public, profiles := planHandlers{a}, plannedHandlers{a}, profileHandlers{a}
	routes := make(map[string]http.Handler)
	for path, methods := range map[string]Methods{
		"/api/rooms":                              {http.MethodGet: rooms.list, http.MethodPost: rooms.create},
		"/api/rooms/{room}":                       {http.MethodGet: rooms.show, http.MethodDelete: rooms.end},
		"/api/rooms/{room}/invites":               {http.MethodGet: invites.listOfRoom, http.MethodPost: invites.createToRoom},
		"/api/rooms/{room}/members":               {http.MethodGet: members.list},
		"/api/rooms/{room}/members/{member}":      {http.MethodDelete: members.remove},
		"/api/rooms/{room}/members/{member}/mute": {http.MethodPost: members.mute},
		"/api/rooms/{room}/audit":                 {http.MethodGet: a.auditOfRoom},
		"/api/invites":                            {http.MethodGet: invites.list, http.MethodPost: invites.createToClub},
		"/api/invites/{code}":                     {http.MethodGet: invites.peek, http.MethodDelete: invites.revoke},
		"/api/invites/{code}/redeem":              {http.MethodPost: signIn.redeem},
		"/api/plans":                              {http.MethodGet: plans.list, http.MethodPost: plans.create},
		"/api/plans/{plan}":                       {http.MethodGet: plans.show, http.MethodDelete: plans.cancel},
		"/api/plans/{plan}/open":                  {http.MethodPost: plans.open},
		"/api/plans/{plan}/hosts":                 {http.MethodPost: plans.inviteHosts, http.MethodDelete: plans.stepBack},
		"/api/plans/{plan}/hosts/{code}":          {http.MethodPost: plans.host},
		"/planned/{plan}":                         {http.MethodGet: public.preview},
		"/planned/{plan}/calendar.ics":            {http.MethodGet: public.calendar},
		"/planned/{plan}/qr.svg":                  {http.MethodGet: public.code},
		"/api/login":                              {http.MethodPost: signIn.login},
		"/api/refresh":                            {http.MethodPost: signIn.refresh},
		"/api/me":                                 {http.MethodGet: account.show, http.MethodDelete: account.delete},
		"/api/me/profile":                         {http.MethodPut: profiles.set},
		"/api/me/picture":                         {http.MethodPut: profiles.setPicture, http.MethodDelete: profiles.removePicture},
		"/api/me/following":                       {http.MethodGet: profiles.following},
		"/api/me/following/{profile}":             {http.MethodPut: profiles.follow, http.MethodDelete: profiles.unfollow},
		"/api/profiles/{profile}":                 {http.MethodGet: profiles.show, http.MethodDelete: profiles.clear},
		"/pictures/{picture}":                     {http.MethodGet: profiles.picture},
		"/api/audit":                              {http.MethodGet: a.audit},
	} {
		routes[path] = Route(a.Log, methods)
	}
	return routes
}

// Principal counts a request and returns who it comes from.
func (a *API) Principal(r *http.Request) (auth.Principal, error) {
	if a.Counted == nil || !a.Counted(r) {
		if err := a.Limiter.Request(a.Limiter.Origin(r)); err != nil {
			return auth.Principal{}, err
		}
	}
	token, err := auth.Bearer(r)
	if err != nil {
		return auth.Principal{}, err
	}
	return a.Auth.Authenticate(token)
}

// visibleRoom returns the room of a request and who it comes from.
func (a *API) visibleRoom(r *http.Request) (*liveroom.LiveRoom, auth.Principal, error) {
	who, err := a.Principal(r)
	if err != nil {
		return nil, auth.Principal{}, err
	}
	l, err := a.Access.Find(who, r.PathValue("room"))
	return l, who, err
}

// managedRoom is visibleRoom for a request that takes a host's or the operator's
// token.
func (a *API) managedRoom(r *http.Request) (*liveroom.LiveRoom, auth.Principal, error) {
	who, err := a.Principal(r)
	if err != nil {
		return nil, auth.Principal{}, err
	}
	l, err := a.Access.FindManaged(who, r.PathValue("room"))
	return l, who, err
}

// countedPrincipal is Principal for a request that changes something, and counts it as countCreate does.
func (a *API) countedPrincipal(r *http.Request) (auth.Principal, error) {
	who, err := a.Principal(r)
	if err == nil {
		err = a.countCreate(r, who)
	}
	return who, err
}

// countCreate counts a room or an invite that somebody makes. The operator is not
// counted.
func (a *API) countCreate(r *http.Request, who auth.Principal) error {
	if who.Operator {
		return nil
	}
	return a.Limiter.Create(a.Limiter.Origin(r), who.Actor())
}
