package panel

import (
	"bytes"
	"fmt"
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
	assert.Contains(t, first, "<dt>Packets a second</dt><dd>–</dd>", "one sample is no rate")
	html := shown(t, h, noon.Add(2*time.Second))
	for _, s := range []string{
		"<dt>Rooms</dt><dd>2</dd><dd class=\"note\">3 halls</dd>", "<dt>Audience</dt><dd>5,013</dd>",
		"<dt>Packets a second</dt><dd>1,000</dd>", "<dt>Packets per core</dt><dd>2,000</dd>", "<dt>CPU</dt><dd>0.50</dd>",
		"2: 5,000 · 10", "2: Ada, &lt;Bo&gt;", `<td class="number">900</td>`, "12:00:02 UTC", "60MiB",
	} {
		assert.Contains(t, html, s)
	}
	assert.Less(t, strings.Index(html, "Monday"), strings.Index(html, "r2"), "the fullest room is first")
}

func TestViewShowsNodesHallsAndTrunks(t *testing.T) {
	alone := shown(t, &History{}, noon)
	assert.NotContains(t, alone, "Nodes")
	assert.NotContains(t, alone, "On other nodes")

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
		`<td><a href="https://n1.example.org/operator">https://n1.example.org</a></td><td></td><td>serving, this one</td><td class="number">2</td><td class="number">3,815 of 7,000</td><td class="number">0</td><td class="number">1</td>`,
		`<td>&lt;east&gt;</td><td>draining</td><td class="number">0</td><td class="number">600 of 7,000</td><td class="number">1</td><td class="number">0</td>`,
		"<td>not heard</td>", "<td>1,200 ears on 2 nodes</td>", "<td>0 ears</td>", "Rooms of this node",
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
	assert.Contains(t, b.String(), "and 7 smaller ones")
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
