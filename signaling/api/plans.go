package api

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/auth"
	"github.com/earshot-audio/earshot/signaling/club"
	"github.com/earshot-audio/earshot/signaling/liveroom"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// createPlan is the body of POST /api/plans.
type createPlan struct {
	Name string `json:"name"`
	// Starts is a time of RFC 3339, with the offset from UTC of whoever plans.
	Starts     string          `json:"starts_at"`
	Minutes    *int            `json:"minutes"`
	Visibility wire.Visibility `json:"visibility"`
}

// planInfo is how the API shows a planned room.
type planInfo struct {
	Plan       string          `json:"plan"`
	Name       string          `json:"name"`
	Visibility wire.Visibility `json:"visibility"`
	Starts     time.Time       `json:"starts_at"`
	Ends       time.Time       `json:"ends_at"`
	// Hosts are their names.
	Hosts []string `json:"hosts"`
	// Host reports whether the principal is one of them, and Owner whether they made it.
	Host  bool `json:"host,omitempty"`
	Owner bool `json:"owner,omitempty"`
	// Open reports whether the room is open. Its id is the plan's.
	Open bool   `json:"open,omitempty"`
	URL  string `json:"url"`
}

// planHandlers serve the planned rooms.
type planHandlers struct{ *API }

func (a *API) plans() club.Plans { return club.Plans{Club: a.Club} }

func (a *API) planURL(r *http.Request, id string) string { return a.baseURL(r) + "/planned/" + id }

func (a planHandlers) infoOf(r *http.Request, who auth.Principal, p store.Plan) planInfo {
	return planInfo{
		Plan: p.ID, Name: p.Title, Visibility: liveroom.WireVisibility(p.Visibility), Starts: p.Starts, Ends: p.Ends,
		Hosts: a.plans().HostNames(p), Host: who.Member && p.HostedBy(who.Account), Owner: who.Member && p.Owner == who.Account,
		Open: a.plans().IsOpen(p), URL: a.planURL(r, p.ID),
	}
}

// create serves POST /api/plans, for members.
func (a planHandlers) create(w http.ResponseWriter, r *http.Request) error {
	who, err := a.countedPrincipal(r)
	if err != nil {
		return err
	}
	var body createPlan
	if err := readBody(w, r, &body); err != nil {
		return err
	}
	plan, err := a.read(body)
	if err != nil {
		return err
	}
	plan.Language = a.Languages.Of(r).Tag
	if plan, err = a.plans().Create(r.Context(), who, plan); err != nil {
		return err
	}
	w.Header().Set("Location", "/api/plans/"+plan.ID)
	apierr.WriteJSON(w, http.StatusCreated, a.infoOf(r, who, plan))
	return nil
}

// read checks a request for a plan.
func (a planHandlers) read(body createPlan) (store.Plan, error) {
	title := strings.TrimSpace(body.Name)
	starts, err := time.Parse(time.RFC3339, body.Starts)
	now, length := a.Club.Clock(), wire.DefaultPlanLength
	switch {
	case title == "":
		return store.Plan{}, wire.FieldError("name", "is missing")
	case !wire.ValidName(title):
		return store.Plan{}, apierr.NameField()
	case err != nil:
		return store.Plan{}, wire.FieldError("starts_at", "must be a time with its offset from UTC, such as 2026-12-04T20:00:00+01:00 (RFC 3339)")
	case starts.Before(now) || starts.After(now.Add(wire.MaxPlanAhead)):
		return store.Plan{}, wire.FieldError("starts_at", "must be in the future, and at most %d days ahead", wire.MaxPlanAhead/(24*time.Hour))
	}
	if body.Minutes != nil {
		const most = int(wire.MaxPlanLength / time.Minute)
		if *body.Minutes < 1 || *body.Minutes > most {
			return store.Plan{}, wire.FieldError("minutes", "must be from 1 to %d", most)
		}
		length = time.Duration(*body.Minutes) * time.Minute
	}
	visibility, ok := liveroom.RoomVisibility(cmp.Or(body.Visibility, wire.VisibleOpen))
	if !ok {
		return store.Plan{}, wire.FieldError("visibility", `must be "open", "members" or "closed"`)
	}
	starts = starts.Truncate(time.Second)
	return store.Plan{Title: title, Visibility: visibility, Starts: starts, Ends: starts.Add(length)}, nil
}

// list serves GET /api/plans: those that the principal may see and that are not open yet.
func (a planHandlers) list(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	plans, err := a.plans().List(r.Context(), who)
	if err != nil {
		return err
	}
	list := []planInfo{}
	for _, p := range plans {
		list = append(list, a.infoOf(r, who, p))
	}
	apierr.WriteJSON(w, http.StatusOK, map[string][]planInfo{"plans": list})
	return nil
}

// show serves GET /api/plans/{plan} for anybody who knows its ID, with or without a token.
func (a planHandlers) show(w http.ResponseWriter, r *http.Request) error {
	who, err := a.anybody(r)
	if err != nil {
		return err
	}
	p, err := a.plans().Find(r.Context(), r.PathValue("plan"))
	if err != nil {
		return err
	}
	apierr.WriteJSON(w, http.StatusOK, a.infoOf(r, who, p))
	return nil
}

// anybody is Principal for a request that needs no token: then it is the zero principal.
func (a *API) anybody(r *http.Request) (auth.Principal, error) {
	token, err := auth.Bearer(r)
	if err != nil || token != "" {
		return a.Principal(r)
	}
	return auth.Principal{}, a.Limiter.Request(a.Limiter.Origin(r))
}

// cancel serves DELETE /api/plans/{plan}, for who made it and the operator.
func (a planHandlers) cancel(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	if err := a.plans().Cancel(r.Context(), who, r.PathValue("plan")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// open serves POST /api/plans/{plan}/open, for its hosts: the room is there.
func (a planHandlers) open(w http.ResponseWriter, r *http.Request) error {
	who, err := a.countedPrincipal(r)
	if err != nil {
		return err
	}
	l, tokens, err := a.plans().Open(r.Context(), who, r.PathValue("plan"))
	if err != nil {
		return err
	}
	writeCreated(w, l, tokens)
	return nil
}

// inviteHosts serves POST /api/plans/{plan}/hosts, for who made it: a code for its hosts.
func (a planHandlers) inviteHosts(w http.ResponseWriter, r *http.Request) error {
	who, err := a.countedPrincipal(r)
	if err != nil {
		return err
	}
	id := r.PathValue("plan")
	code, err := a.plans().InviteHosts(r.Context(), who, id)
	if err != nil {
		return err
	}
	apierr.WriteJSON(w, http.StatusCreated, map[string]string{"code": code, "url": a.baseURL(r) + "/#/h/" + id + "." + code})
	return nil
}

// host serves POST /api/plans/{plan}/hosts/{code}: a member who has the code becomes a host.
func (a planHandlers) host(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	p, err := a.plans().Host(r.Context(), who, r.PathValue("plan"), r.PathValue("code"))
	if err != nil {
		return a.countFailure(r, err)
	}
	apierr.WriteJSON(w, http.StatusOK, a.infoOf(r, who, p))
	return nil
}

// stepBack serves DELETE /api/plans/{plan}/hosts: the principal is no host of it any more.
func (a planHandlers) stepBack(w http.ResponseWriter, r *http.Request) error {
	who, err := a.Principal(r)
	if err != nil {
		return err
	}
	if err := a.plans().StepBack(r.Context(), who, r.PathValue("plan")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
