package watch

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const patience = 2 * time.Minute

func dashboard(t *testing.T) *Dashboard {
	t.Helper()
	d, err := NewDashboard("127.0.0.1:0")
	require.NoError(t, err)
	return d
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func fetch(t *testing.T, url string) (http.Header, string) {
	t.Helper()
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode, url)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.Header, string(body)
}

// An update is a server-sent event.
type update struct{ name, data string }

// follow reads a dashboard's events until they end.
func follow(t *testing.T, d *Dashboard) <-chan update {
	t.Helper()
	resp, err := client.Get(d.URL() + "/events")
	require.NoError(t, err)
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	updates := make(chan update, 100)
	go func() { // ends with the dashboard
		defer close(updates)
		defer resp.Body.Close()
		var u update
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<24)
		for lines.Scan() {
			switch line := lines.Text(); {
			case line == "":
				updates <- u
				u = update{}
			case strings.HasPrefix(line, "event: "):
				u.name = line[len("event: "):]
			case strings.HasPrefix(line, "data:"):
				u.data += strings.TrimPrefix(line[len("data:"):], " ") + "\n"
			}
		}
	}()
	return updates
}

// await returns the first update whose data has a text.
func await(t *testing.T, updates <-chan update, name, text string) update {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case u, ok := <-updates:
			require.True(t, ok, "the events ended without %q", text)
			if u.name == name && strings.Contains(u.data, text) {
				return u
			}
		case <-timer.C:
			t.Fatalf("no %s with %q came", name, text)
		}
	}
}

func TestDashboardFollowsARunToItsEnd(t *testing.T) {
	d := dashboard(t)
	updates := follow(t, d)
	await(t, updates, "body", "STARTING")
	limits := thresholds(t, "latency", "p(99) < 20ms", "mos", "min > 4")
	d.Show(about(), snapshot(3), limits)
	u := await(t, updates, "body", "RUNNING")
	for _, s := range []string{"Arrivals and joins", "no data yet", "promote 1 listener", "By network"} {
		assert.Contains(t, u.data, s)
	}
	assert.NotContains(t, u.data, "Longest gap of each listener", "it is known at the end alone")

	late := follow(t, d)
	assert.Equal(t, u.data, await(t, late, "body", "RUNNING").data, "who comes late sees the same")

	r := judged(t)
	d.Finish(r)
	want := map[string]string{"pass": "PASS", "invalid": "INVALID"}[string(r.Verdict)]
	await(t, updates, "body", want)
	require.NoError(t, d.Close())
	for _, reader := range []<-chan update{updates, late} {
		await(t, reader, "end", "")
	}
}

func TestDashboardHasAStrictContentSecurityPolicy(t *testing.T) {
	d := dashboard(t)
	defer func() { assert.NoError(t, d.Close()) }()
	d.Show(about(), snapshot(3), thresholds(t, "latency", "p(99) < 20ms"))
	for path, kind := range map[string]string{"/": "text/html", "/style.css": "text/css", "/watch.js": "text/javascript"} {
		h, body := fetch(t, d.URL()+path)
		assert.Equal(t, policy, h.Get("Content-Security-Policy"))
		assert.Equal(t, kind+"; charset=utf-8", h.Get("Content-Type"))
		assert.NotEmpty(t, body)
		if path == "/" {
			assert.NotContains(t, body, " style=")
			assert.NotContains(t, body, "<style")
			assert.Equal(t, 1, strings.Count(body, "<script"))
			assert.Contains(t, body, "RUNNING", "it can be read without script")
		}
	}
	resp, err := client.Post(d.URL()+"/", "text/plain", strings.NewReader("x"))
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
}

func TestDashboardSlowReaderBlocksNobody(t *testing.T) {
	d := dashboard(t)
	resp, err := client.Get(d.URL() + "/events")
	require.NoError(t, err)
	defer resp.Body.Close() // and never read
	done := make(chan error)
	go func() {
		for i := range 300 {
			d.Show(about(), snapshot(1+i%20), nil)
			d.body() // somebody else looks
		}
		done <- d.Close()
	}()
	select {
	case err := <-done:
		assert.NoError(t, err)
	case <-time.After(patience):
		t.Fatal("it is held up")
	}
}

func TestDashboardWithoutReadersRendersNothing(t *testing.T) {
	d := dashboard(t)
	defer func() { assert.NoError(t, d.Close()) }()
	for range 10 {
		d.Show(about(), snapshot(10), nil)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	assert.Nil(t, d.rendered, "no plot is drawn")
}

func BenchmarkBody(b *testing.B) {
	d, err := NewDashboard("127.0.0.1:0")
	require.NoError(b, err)
	defer func() { assert.NoError(b, d.Close()) }()
	s := snapshot(240)
	for b.Loop() {
		d.Show(about(), s, nil)
		d.body()
	}
}

// A page that was led to this machine by its own name (DNS rebinding) reads nothing.
func TestDashboardIsForThisMachine(t *testing.T) {
	d := dashboard(t)
	defer func() { require.NoError(t, d.Close()) }()
	e, err := NewExporter("127.0.0.1:0", nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	for _, url := range []string{d.URL() + "/", d.URL() + "/events", e.URL()} {
		r, err := http.NewRequest(http.MethodGet, url, nil)
		require.NoError(t, err)
		r.Host = "evil.example"
		resp, err := client.Do(r)
		require.NoError(t, err)
		assert.Equal(t, http.StatusForbidden, resp.StatusCode, url)
		require.NoError(t, resp.Body.Close())
	}
}
