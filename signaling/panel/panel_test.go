package panel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// serving returns the sample of a server that sends 1,000 packets for each second since noon, with
// half a core.
func serving(at time.Time) Sample {
	seconds := at.Sub(noon).Seconds()
	return Sample{
		Sent: uint64(1000 * seconds), Received: uint64(50 * seconds), CPU: time.Duration(seconds/2*float64(time.Second)) + 1, Memory: 60 << 20,
		Stage: 2, Audience: 5013, Mics: 2, Ears: 5015,
		Rooms: []RoomSample{
			{ID: "r1", Name: "Monday", Visibility: "open", Created: noon, Stage: []string{"Ada", "<Bo>"}, Halls: []int{5000, 10}, Sent: uint64(900 * seconds)},
			{ID: "r2", Name: "r2", Visibility: "closed", Created: noon, Halls: []int{3}, Sent: uint64(100 * seconds)},
		},
	}
}

func shown(t *testing.T, h *History, at time.Time) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, h.Add(func() Sample { return serving(at) }, at).Write(&b))
	assert.NotContains(t, b.String(), "NaN")
	return b.String()
}

func TestViewShowsRoomsAndPacketsPerCore(t *testing.T) {
	h := &History{}
	first := shown(t, h, noon)
	assert.Contains(t, first, `<dt data-text="operator.packets"></dt><dd data-figures>–</dd>`, "one sample is no rate")
	html := shown(t, h, noon.Add(2*time.Second))
	for _, s := range []string{
		`<dt data-text="operator.rooms"></dt><dd data-figures>2</dd><dd class="note" data-text="operator.hall_count" data-n="3"></dd>`,
		`<dt data-text="operator.audience"></dt><dd data-figures>5,013</dd>`, `<dt data-text="operator.packets"></dt><dd data-figures>1,000</dd>`,
		`<dt data-text="operator.per_core"></dt><dd data-figures>2,000</dd>`, `<dt data-text="operator.cpu"></dt><dd data-figures>0.50</dd>`,
		"2: 5,000 · 10", "2: Ada, &lt;Bo&gt;", `<td class="number" data-figures>900</td>`, `<td data-text="operator.seen_by.closed"></td>`, "12:00:02 UTC", "60MiB",
	} {
		assert.Contains(t, html, s)
	}
	assert.Less(t, strings.Index(html, "Monday"), strings.Index(html, "r2"), "the fullest room is first")
}

func TestViewShowsNodesHallsAndTrunks(t *testing.T) {
	alone := shown(t, &History{}, noon)
	assert.NotContains(t, alone, "operator.nodes")
	assert.NotContains(t, alone, "operator.elsewhere")

	sample := serving(noon)
	sample.Rooms[0].Elsewhere, sample.Rooms[0].ElsewhereNodes = 1200, 2
	sample.Nodes = []NodeSample{
		{ID: "n1", URL: "https://n1.example.org", Self: true, Seats: 7000, Taken: 3815, Rooms: 2, Trunks: 1},
		{ID: "n2", URL: "https://n2.example.org", Zone: "<east>", Draining: true, Seats: 7000, Taken: 600, Halls: 1},
		{ID: "n3", URL: "https://n3.example.org", Draining: true, Silent: true},
	}
	var b bytes.Buffer
	require.NoError(t, (&History{}).Add(func() Sample { return sample }, noon).Write(&b))
	html := b.String()
	for _, s := range []string{
		`<td><a href="https://n1.example.org/operator">https://n1.example.org</a></td><td></td><td data-text="operator.state.serving.self"></td><td class="number" data-figures>2</td><td class="number" data-text="operator.seats" data-taken="3815" data-seats="7000"></td><td class="number" data-figures>0</td><td class="number" data-figures>1</td>`,
		`<td>&lt;east&gt;</td><td data-text="operator.state.draining"></td><td class="number" data-figures>0</td><td class="number" data-text="operator.seats" data-taken="600" data-seats="7000"></td><td class="number" data-figures>1</td><td class="number" data-figures>0</td>`,
		`<td data-text="operator.state.not_heard"></td>`, `<span data-text="operator.ears" data-n="1200"></span> <span data-text="operator.on_nodes" data-n="2"></span>`,
		`<td><span data-text="operator.ears" data-n="0"></span></td>`, "operator.rooms_here",
	} {
		assert.Contains(t, html, s)
	}
}

func TestHistoryIsBoundedAndHasGaps(t *testing.T) {
	h := &History{}
	for i := range 2 * maxSamples {
		at := noon.Add(time.Duration(i) * 2 * time.Second)
		h.Add(func() Sample { return serving(at) }, at)
	}
	assert.Len(t, h.samples, maxSamples)
	again := h.samples[maxSamples-1].At
	v := h.Add(func() Sample { t.Fatal("asked again at once"); return Sample{} }, again.Add(minInterval/2))
	assert.Len(t, v.Samples, maxSamples)
	for _, s := range v.Samples[:maxSamples-1] {
		assert.Nil(t, s.Rooms, "only the last one's rooms are kept")
	}
	late := again.Add(time.Hour)
	v = h.Add(func() Sample { return serving(late) }, late)
	all := v.intervals()
	assert.NotEqual(t, all[len(all)-1].sent, all[len(all)-1].sent, "NaN: nobody looked")
	assert.Empty(t, v.Rates)
}

func TestViewListsALimitedNumberOfRooms(t *testing.T) {
	h := &History{}
	v := h.Add(func() Sample {
		s := Sample{}
		for i := range maxRooms + 7 {
			s.Rooms = append(s.Rooms, RoomSample{ID: fmt.Sprint(i), Name: "room", Halls: []int{0}})
		}
		return s
	}, noon)
	var b bytes.Buffer
	require.NoError(t, v.Write(&b))
	assert.Equal(t, maxRooms, strings.Count(b.String(), `<th scope="row">`))
	assert.Contains(t, b.String(), `data-text="operator.more" data-n="7"`)
}

// Every text of the page is in the table of English, and so in every language's.
func TestViewHasTextsOfTheTable(t *testing.T) {
	data, err := os.ReadFile("../../web/app/lang/en.json")
	require.NoError(t, err)
	var table map[string]any
	require.NoError(t, json.Unmarshal(data, &table))
	var b bytes.Buffer
	h := &History{}
	for seconds := range 3 {
		sample := serving(noon.Add(2 * time.Duration(seconds) * time.Second))
		for _, visibility := range []string{"open", "members", "closed"} {
			sample.Rooms = append(sample.Rooms, RoomSample{Visibility: visibility, Created: noon, Elsewhere: 3, ElsewhereNodes: 1})
		}
		for i := range 6 {
			sample.Nodes = append(sample.Nodes, NodeSample{Self: i%2 == 0, Draining: i/2 == 1, Silent: i/2 == 2})
		}
		require.NoError(t, h.Add(func() Sample { return sample }, noon.Add(2*time.Duration(seconds)*time.Second)).Write(&b))
	}
	require.NoError(t, (&History{}).Add(func() Sample { return Sample{} }, noon).Write(&b)) // no room, no data
	keys := regexp.MustCompile(`operator\.[a-z_.]+`).FindAllString(b.String()+string(page)+string(script), -1)
	assert.Greater(t, len(keys), 60)
	for _, key := range keys {
		assert.Contains(t, table, key)
	}
	words := regexp.MustCompile(`>[^<>]*[a-z]{4}[^<>]*<`).FindAllString(regexp.MustCompile(`<a .*?</a>|<code>.*?</code>|operator\.[a-z_.]+|Monday`).ReplaceAllString(b.String(), ""), -1)
	assert.Empty(t, words, "texts that are in no table")
}

func TestFiles(t *testing.T) {
	for _, name := range []string{"", "panel.js", "panel.css"} {
		data, kind, ok := File(name)
		assert.True(t, ok)
		assert.NotEmpty(t, data)
		assert.Contains(t, kind, "text/")
	}
	_, _, ok := File("now.tmpl")
	assert.False(t, ok)
	data, _, _ := File("")
	assert.NotContains(t, string(data), " style=")
	assert.NotContains(t, string(data), "<style")
}
