package api

import (
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/earshot-audio/earshot/internal/calendar"
	"github.com/earshot-audio/earshot/internal/language"
	"github.com/earshot-audio/earshot/internal/qrcode"
	"github.com/earshot-audio/earshot/signaling/apierr"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// plannedHandlers serve what stands behind the link of a planned room, to whoever has it:
// programs that preview links, and calendars, have no token.
type plannedHandlers struct{ *API }

// previewPage is what a program sees that previews a link (https://ogp.me), in the language that it
// asks for, and at the time of who planned the room. A browser goes on to the room page: planned.js
// follows the link.
var previewPage = template.Must(template.New("planned").Parse(`<!doctype html>
<html lang="{{.Language}}">
  <head>
    <meta charset="utf-8">
    <title>{{.Title}}</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="description" content="{{.About}}">
    <meta name="robots" content="noindex">
    <meta property="og:type" content="website">
    <meta property="og:site_name" content="earshot">
    <meta property="og:title" content="{{.Title}}">
    <meta property="og:description" content="{{.About}}">
    <meta property="og:url" content="{{.URL}}">
    <meta property="og:image" content="{{.Image}}">
    <meta property="og:image:width" content="512">
    <meta property="og:image:height" content="512">
    <meta property="og:image:alt" content="earshot">
    <meta name="twitter:card" content="summary">
    <link rel="icon" href="/app/icon.svg" type="image/svg+xml">
    <script type="module" src="/app/planned.js"></script>
  </head>
  <body>
    <h1>{{.Title}}</h1>
    <p>{{.About}}</p>
    <p><a href="{{.Page}}">{{.GoOn}}</a></p>
  </body>
</html>
`))

// previewPolicy lets that page run its one script.
const previewPolicy = "default-src 'none'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (a plannedHandlers) find(r *http.Request) (store.Plan, error) {
	if err := a.Limiter.Request(a.Limiter.Origin(r)); err != nil {
		return store.Plan{}, err
	}
	return a.plans().Find(r.Context(), r.PathValue("plan"))
}

// preview serves GET /planned/{plan}.
func (a plannedHandlers) preview(w http.ResponseWriter, r *http.Request) error {
	p, err := a.find(r)
	if errors.Is(err, apierr.ErrNoPlan) && a.NotFound != nil {
		a.NotFound(w, r) // people keep links
		return nil
	}
	if err != nil {
		return err
	}
	texts := a.texts(w, r, p)
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", previewPolicy)
	_ = previewPage.Execute(w, map[string]string{ // who has hung up needs no answer
		"Language": texts.Tag, "GoOn": texts.Get("plan.go_on"),
		"Title": p.Title, "About": texts.Date(p.Starts) + " · " + a.hosts(p, texts), "URL": a.planURL(r, p.ID), "Image": a.baseURL(r) + "/app/icon-512.png", "Page": "/#/p/" + p.ID,
	})
	return nil
}

// texts returns the texts of an answer, in the language of who asks, or of who planned the room if
// they want none that there is: many programs that preview links say nothing of it.
func (a plannedHandlers) texts(w http.ResponseWriter, r *http.Request, p store.Plan) language.Texts {
	texts := a.Languages.OfOr(r, p.Language)
	w.Header().Set("Content-Language", texts.Tag)
	w.Header().Add("Vary", language.Vary)
	return texts
}

// hosts says who hosts a plan. Its owner has an account: with that the plan goes.
func (a plannedHandlers) hosts(p store.Plan, texts language.Texts) string {
	return texts.Get("plan.with", "names", strings.Join(a.plans().HostNames(p), ", "))
}

// calendar serves GET /planned/{plan}/calendar.ics.
func (a plannedHandlers) calendar(w http.ResponseWriter, r *http.Request) error {
	p, err := a.find(r)
	if err != nil {
		return err
	}
	link := a.planURL(r, p.ID)
	event := calendar.Event{
		UID: p.ID + "@earshot", Created: p.Created, Start: p.Starts, End: p.Ends, Summary: p.Title,
		Description: a.hosts(p, a.texts(w, r, p)) + "\n" + link, URL: link,
	}
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="earshot-`+p.Starts.UTC().Format(time.DateOnly)+`.ics"`)
	_, _ = w.Write(event.Encode())
	return nil
}

// code serves GET /planned/{plan}/qr.svg: the QR code of the plan's link.
func (a plannedHandlers) code(w http.ResponseWriter, r *http.Request) error {
	p, err := a.find(r)
	if err != nil {
		return err
	}
	picture, err := qrcode.SVG(a.planURL(r, p.ID))
	if err != nil {
		return wire.NewError(wire.CodeUnprocessable, "the server's URL is too long for a QR code")
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(picture)
	return nil
}
