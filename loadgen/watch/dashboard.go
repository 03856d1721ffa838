package watch

import (
	"bytes"
	_ "embed" // for the page
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/earshot-audio/earshot/loadgen"
	"github.com/earshot-audio/earshot/loadgen/metric"
	"github.com/earshot-audio/earshot/loadgen/report"
)

var (
	//go:embed page.tmpl
	pageTemplate string
	//go:embed watch.js
	script []byte
	//go:embed watch.css
	style string
)

// policy lets the page load its own script and style and follow its own events,
// and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// A Dashboard is a page that follows a run while it is open in a browser. When
// the run ends, the page has the report and needs no server any more.
//
// It is safe for concurrent use. Its goroutines end with Close.
type Dashboard struct {
	site *site

	mu      sync.Mutex
	state   state
	version int
	// rendered is the body of the version of that number.
	rendered []byte
	known    int
	ended    bool
	readers  map[chan struct{}]struct{}
}

// A state writes itself as the body of the page.
type state interface{ WriteBody(io.Writer) error }

// NewDashboard serves a dashboard on a TCP address.
func NewDashboard(address string) (*Dashboard, error) {
	d := &Dashboard{readers: map[chan struct{}]struct{}{}}
	page, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, body, ended := d.body()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Execute(w, struct {
			Body  template.HTML
			Ended bool
		}{template.HTML(body), ended}) // the report escapes what is not ours
	})
	mux.HandleFunc("GET /events", d.follow)
	mux.HandleFunc("GET /style.css", asset("text/css", []byte(report.Style()+style)))
	mux.HandleFunc("GET /watch.js", asset("text/javascript", script))
	if d.site, err = listen(address, guarded(mux)); err != nil {
		return nil, err
	}
	return d, nil
}

// guarded adds the headers that every answer has.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func asset(kind string, data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
		_, _ = w.Write(data)
	}
}

// URL is where the dashboard is.
func (d *Dashboard) URL() string { return d.site.url() }

// Show shows the present state of a run. about has what is known of it beforehand.
func (d *Dashboard) Show(about *loadgen.Result, s loadgen.Snapshot, thresholds []metric.Threshold) {
	so := *about
	so.Series, so.Marks, so.Values, so.Best, so.Groups = s.Series, s.Marks, present(s), s.Best, s.Groups
	d.set(report.Live{Result: &so, Progress: s.Progress, Thresholds: thresholds})
}

// Finish shows the report of a run that has ended.
func (d *Dashboard) Finish(r *report.Report) { d.set(r) }

func (d *Dashboard) set(s state) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = s
	d.version++
	d.wake()
}

// wake is called with mu held.
func (d *Dashboard) wake() {
	for reader := range d.readers {
		select {
		case reader <- struct{}{}:
		default: // it has not yet read the last one
		}
	}
}

// body is the page's body as it is now, and its version. It is made when
// somebody looks, and once for all of them.
func (d *Dashboard) body() (version int, body []byte, ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == nil {
		return 0, []byte(`<header class="head live"><p class="verdict">● STARTING</p></header>`), d.ended
	}
	if d.known != d.version {
		var b bytes.Buffer
		if err := d.state.WriteBody(&b); err != nil {
			b.Reset()
			fmt.Fprintf(&b, "<main><p>%s</p></main>", template.HTMLEscapeString(err.Error()))
		}
		d.rendered, d.known = b.Bytes(), d.version
	}
	return d.version, d.rendered, d.ended
}

// follow sends the body whenever it changes, as server-sent events, until the
// dashboard is closed.
func (d *Dashboard) follow(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	news := make(chan struct{}, 1)
	d.mu.Lock()
	d.readers[news] = struct{}{}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.readers, news)
		d.mu.Unlock()
	}()
	out := http.NewResponseController(w)
	for last := -1; ; {
		version, body, ended := d.body()
		if version != last {
			if _, err := w.Write(event("body", body)); err != nil {
				return
			}
			last = version
		}
		if ended {
			if _, err := w.Write(event("end", nil)); err == nil {
				_ = out.Flush()
			}
			return
		}
		if out.Flush() != nil {
			return
		}
		select {
		case <-news:
		case <-r.Context().Done():
			return
		}
	}
}

// event is a server-sent event.
func event(name string, data []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", name)
	for line := range strings.Lines(string(data)) {
		b.WriteString("data: " + strings.TrimRight(line, "\r\n") + "\n")
	}
	if len(data) == 0 {
		b.WriteString("data:\n")
	}
	b.WriteString("\n")
	return b.Bytes()
}

// Close sends readers the end of the run and stops serving.
func (d *Dashboard) Close() error {
	d.mu.Lock()
	d.ended = true
	d.wake()
	d.mu.Unlock()
	return d.site.close()
}
