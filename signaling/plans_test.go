package signaling

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/language"
	"github.com/earshot-audio/earshot/signaling/wire"
	"github.com/earshot-audio/earshot/store"
)

// planner is a closed server whose clock a test can move.
func planner(t *testing.T, kept *store.Store) (h *testServer, later func(time.Duration), now func() time.Time) {
	var moved atomic.Int64
	now = func() time.Time { return time.Now().Add(time.Duration(moved.Load())) }
	languages, err := language.Read(os.DirFS("../web/app"), "lang")
	require.NoError(t, err)
	h = closed(t, func(cfg *Config) {
		cfg.Clock, cfg.Languages = now, languages
		if kept != nil {
			cfg.Store = kept
		}
	})
	return h, func(d time.Duration) { moved.Add(int64(d)) }, now
}

// plan plans a room, and returns its ID.
func (h *testServer) plan(who credentials, title, visibility string, starts time.Time, minutes int) string {
	h.t.Helper()
	body := fmt.Sprintf(`{"name":%q,"starts_at":%q,"minutes":%d,"visibility":%q}`, title, starts.Format(time.RFC3339), minutes, visibility)
	return h.must(http.StatusCreated, http.MethodPost, "/api/plans", who.token, body)["plan"].(string)
}

// plans are the titles that a token lists.
func (h *testServer) plans(token string) (titles []string) {
	h.t.Helper()
	for _, p := range h.must(http.StatusOK, http.MethodGet, "/api/plans", token, "")["plans"].([]any) {
		titles = append(titles, p.(map[string]any)["name"].(string))
	}
	return titles
}

// file gets what needs no token.
func (h *testServer) file(path string, header ...string) (*http.Response, string) {
	h.t.Helper()
	request, err := http.NewRequest(http.MethodGet, h.http.URL+path, nil)
	require.NoError(h.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := h.http.Client().Do(request)
	require.NoError(h.t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(h.t, err)
	return response, string(data)
}

// TestPlannedRoomBecomesARoom plans a room with two hosts. Who may see it sees it, in time
// order, until one of them opens it: then it is a room with the same id, and both are hosts.
func TestPlannedRoomBecomesARoom(t *testing.T) {
	h, _, now := planner(t, nil)
	ada, bo, cy := h.member("Ada"), h.member("Bo"), h.member("Cy")
	lobby, _ := h.room(`{"name":"lobby"}`)
	guest := h.guest(lobby, "listener", "Guest")

	h.plan(ada, "Everybody", "open", now().Add(3*time.Hour), 30)
	h.plan(ada, "Members", "members", now().Add(2*time.Hour), 30)
	id := h.plan(ada, "Board", "closed", now().Add(time.Hour), 90)
	for who, want := range map[string][]string{
		ada.token:     {"Board", "Members", "Everybody"},
		bo.token:      {"Members", "Everybody"},
		guest.token:   {"Everybody"},
		operatorToken: {"Board", "Members", "Everybody"},
	} {
		assert.Equal(t, want, h.plans(who))
	}
	h.must(http.StatusUnauthorized, http.MethodGet, "/api/plans", "", "")

	invited := h.must(http.StatusCreated, http.MethodPost, "/api/plans/"+id+"/hosts", ada.token, "")
	assert.Contains(t, invited["url"], "/#/h/"+id+"."+invited["code"].(string))
	path := "/api/plans/" + id + "/hosts/"
	for _, wrong := range []string{"x", strings.Repeat("a", store.CodeLength)} {
		h.must(http.StatusGone, http.MethodPost, path+wrong, bo.token, "")
	}
	h.must(http.StatusForbidden, http.MethodPost, path+invited["code"].(string), guest.token, "")
	h.must(http.StatusForbidden, http.MethodPost, "/api/plans/"+id+"/open", bo.token, "")
	joined := h.must(http.StatusOK, http.MethodPost, path+invited["code"].(string), bo.token, "")
	assert.Equal(t, []any{"Ada", "Bo"}, joined["hosts"])
	assert.Equal(t, true, joined["host"])
	assert.Nil(t, joined["owner"])
	assert.Contains(t, h.plans(bo.token), "Board")
	again := h.must(http.StatusCreated, http.MethodPost, "/api/plans/"+id+"/hosts", ada.token, "")
	h.must(http.StatusGone, http.MethodPost, path+invited["code"].(string), cy.token, "")
	h.must(http.StatusOK, http.MethodPost, path+again["code"].(string), cy.token, "")
	h.must(http.StatusNoContent, http.MethodDelete, "/api/plans/"+id+"/hosts", cy.token, "")

	for _, row := range []struct{ method, path, token string }{
		{http.MethodPost, "/hosts", bo.token}, // who hosts with others invites nobody to host
		{http.MethodDelete, "", bo.token},
		{http.MethodDelete, "/hosts", cy.token},
		{http.MethodPost, "/open", cy.token},
		{http.MethodPost, "/open", guest.token},
		{http.MethodPost, "/open", operatorToken}, // it can make rooms of its own
	} {
		h.must(http.StatusForbidden, row.method, "/api/plans/"+id+row.path, row.token, "")
	}

	made := h.must(http.StatusCreated, http.MethodPost, "/api/plans/"+id+"/open", bo.token, "")
	assert.Equal(t, id, made["room"])
	assert.Equal(t, "Board", made["name"])
	assert.Equal(t, "closed", made["visibility"])
	h.must(http.StatusConflict, http.MethodPost, "/api/plans/"+id+"/open", ada.token, "")
	assert.Equal(t, []string{"Members", "Everybody"}, h.plans(ada.token), "it is among the rooms now")
	assert.Equal(t, true, h.must(http.StatusOK, http.MethodGet, "/api/plans/"+id, "", "")["open"], "and its link goes there")
	for _, host := range []string{ada.token, bo.token, made["host_token"].(string)} {
		assert.Equal(t, wire.RoleHost, h.as(host).join(id, "", "").Role)
	}
	h.as(cy.token).expectError(wire.Join{Room: id}, wire.CodeNotFound)

	h.must(http.StatusNoContent, http.MethodDelete, "/api/rooms/"+id, bo.token, "")
	h.must(http.StatusCreated, http.MethodPost, "/api/plans/"+id+"/open", ada.token, "")
	h.must(http.StatusNoContent, http.MethodDelete, "/api/plans/"+id, ada.token, "")
	h.must(http.StatusNotFound, http.MethodGet, "/api/plans/"+id, ada.token, "")
	h.must(http.StatusOK, http.MethodGet, "/api/rooms/"+id, ada.token, "")
}

// TestLinkOfAPlannedRoomShowsWhatItIs follows the link without a token, as programs do that
// preview links: a title in it is a text, times are those of who planned it, and the words are those
// of the language that the program asks for.
func TestLinkOfAPlannedRoomShowsWhatItIs(t *testing.T) {
	h, later, now := planner(t, nil)
	ada := h.member("Ada")
	starts := now().Add(time.Hour).In(time.FixedZone("", -(3*60+30)*60)).Truncate(time.Minute)
	id := h.plan(ada, `Tea & <script>"cake"`, "closed", starts, 45)

	response, page := h.file("/planned/" + id)
	require.Equal(t, http.StatusOK, response.StatusCode)
	assert.Equal(t, "text/html; charset=utf-8", response.Header.Get("Content-Type"))
	assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
	assert.Contains(t, response.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'")
	assert.Contains(t, page, `<meta property="og:title" content="Tea &amp; &lt;script&gt;&#34;cake&#34;">`)
	assert.Contains(t, page, `<meta property="og:description" content="`+strings.ReplaceAll(starts.Format("Monday, 2 January 2006, 15:04 (UTC-07:00)"), "+", "&#43;")+` · With Ada">`)
	assert.Contains(t, page, `<meta property="og:url" content="`+h.http.URL+`/planned/`+id+`">`)
	assert.Contains(t, page, `<meta property="og:image" content="`+h.http.URL+`/app/icon-512.png">`)
	assert.Contains(t, page, `href="/#/p/`+id+`"`)

	assert.Equal(t, []string{"en", "Accept-Language"}, []string{response.Header.Get("Content-Language"), response.Header.Get("Vary")})
	assert.Contains(t, page, `<html lang="en">`)
	response, page = h.file("/planned/"+id, "Accept-Language", "de-CH,fr;q=0.7")
	assert.Equal(t, "de", response.Header.Get("Content-Language"))
	assert.Contains(t, page, `<html lang="de">`)
	assert.Contains(t, page, strings.ReplaceAll(h.server.cfg.Languages.In("de").Date(starts), "+", "&#43;")+` · Mit Ada">`)
	german := h.must(http.StatusCreated, http.MethodPost, "/api/plans?lang=de", ada.token, `{"name":"Tee","starts_at":"`+starts.Format(time.RFC3339)+`"}`)["plan"].(string)
	_, page = h.file("/planned/" + german)
	assert.Contains(t, page, `<html lang="de">`, "who asks for no language gets that of who planned it")
	_, page = h.file("/planned/"+german, "Accept-Language", "en-US")
	assert.Contains(t, page, `<html lang="en">`)
	_, event := h.file("/planned/" + id + "/calendar.ics?lang=de")
	assert.Contains(t, event, `DESCRIPTION:Mit Ada\n`)

	response, event = h.file("/planned/" + id + "/calendar.ics")
	assert.Contains(t, event, `DESCRIPTION:With Ada\n`)
	assert.Equal(t, "text/calendar; charset=utf-8", response.Header.Get("Content-Type"))
	assert.Contains(t, event, "DTSTART:"+starts.UTC().Format("20060102T150405Z")+"\r\n")
	assert.Contains(t, event, "DTEND:"+starts.Add(45*time.Minute).UTC().Format("20060102T150405Z")+"\r\n")

	response, picture := h.file("/planned/" + id + "/qr.svg")
	assert.Equal(t, "image/svg+xml", response.Header.Get("Content-Type"))
	assert.True(t, strings.HasPrefix(picture, "<svg "))

	later(2 * time.Hour)
	for _, path := range []string{"/planned/" + id, "/planned/" + id + "/calendar.ics", "/planned/" + id + "/qr.svg", "/api/plans/" + id, "/planned/none"} {
		response, _ := h.file(path)
		assert.Equal(t, http.StatusNotFound, response.StatusCode, "%s: it is past", path)
	}
	assert.Empty(t, h.plans(operatorToken))
	assert.Empty(t, h.server.cfg.Store.Plans(), "and nothing is left of it")
}

func TestPlanRefusesBadRequests(t *testing.T) {
	h, _, now := planner(t, nil)
	ada := h.member("Ada")
	in := func(d time.Duration) string { return now().Add(d).Format(time.RFC3339) }
	for problem, body := range map[string]string{
		"no title":                   `{"starts_at":"` + in(time.Hour) + `"}`,
		"a title nobody can see":     `{"name":"a\u202eb","starts_at":"` + in(time.Hour) + `"}`,
		"no time":                    `{"name":"x"}`,
		"a time without its offset":  `{"name":"x","starts_at":"` + now().Add(time.Hour).Format("2006-01-02T15:04:05") + `"}`,
		"a time that is past":        `{"name":"x","starts_at":"` + in(-time.Minute) + `"}`,
		"a time that is too far off": `{"name":"x","starts_at":"` + in(400*24*time.Hour) + `"}`,
		"no minutes":                 `{"name":"x","starts_at":"` + in(time.Hour) + `","minutes":0}`,
		"too many minutes":           `{"name":"x","starts_at":"` + in(time.Hour) + `","minutes":1441}`,
		"no such visibility":         `{"name":"x","starts_at":"` + in(time.Hour) + `","visibility":"x"}`,
		"a field there is not":       `{"name":"x","starts_at":"` + in(time.Hour) + `","hosts":["bo"]}`,
	} {
		_, answer := h.call(http.MethodPost, "/api/plans", ada.token, body)
		assert.Equal(t, wire.CodeBadRequest, code(answer), problem)
	}
	for who, token := range map[string]string{"the operator": operatorToken, "a guest": h.guest(func() string { id, _ := h.room(`{"name":"x"}`); return id }(), "host", "G").token} {
		response, _ := h.call(http.MethodPost, "/api/plans", token, `{"name":"x","starts_at":"`+in(time.Hour)+`"}`)
		assert.Equal(t, http.StatusForbidden, response.StatusCode, who)
	}
	assert.Empty(t, h.plans(operatorToken))
}

// TestPlansAreLimited plans as many rooms as a member may, many of them at once, and as many
// as those may together who came by one another's invites.
func TestPlansAreLimited(t *testing.T) {
	kept := store.Memory()
	defer func() { assert.NoError(t, kept.Close()) }()
	h, later, now := planner(t, kept)
	ada, bo := h.member("Ada"), h.member("Bo")
	body := `{"name":"x","starts_at":"` + now().Add(time.Hour).Format(time.RFC3339) + `"}`
	var tries sync.WaitGroup
	var made atomic.Int64
	for range wire.MaxPlansByAccount + 5 {
		tries.Go(func() {
			if response, _ := h.call(http.MethodPost, "/api/plans", ada.token, body); response.StatusCode == http.StatusCreated {
				made.Add(1)
			}
		})
	}
	tries.Wait()
	assert.EqualValues(t, wire.MaxPlansByAccount, made.Load())
	_, answer := h.call(http.MethodPost, "/api/plans", ada.token, body)
	assert.Equal(t, wire.CodeAccountLimit, code(answer))
	h.must(http.StatusCreated, http.MethodPost, "/api/plans", bo.token, body)

	mal := h.by(bo, "Mal")
	for n := range wire.MaxPlans / 4 { // a half of Bo's, who has a half of all
		_, err := kept.PutPlan(t.Context(), store.Plan{ID: fmt.Sprint(n), Owner: mal.account, Starts: now(), Ends: now().Add(time.Hour)})
		require.NoError(t, err)
	}
	_, answer = h.call(http.MethodPost, "/api/plans", h.by(mal, "Mal's").token, body)
	assert.Equal(t, wire.CodeAccountLimit, code(answer), "with many accounts")
	h.must(http.StatusCreated, http.MethodPost, "/api/plans", bo.token, body)

	later(3 * time.Hour)
	assert.Empty(t, h.plans(operatorToken), "what is past makes room")
}
