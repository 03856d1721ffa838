package chart

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sample is a chart with one of everything.
func sample() Chart {
	c := Chart{
		Title: "Latency over time", Description: "Percentiles of each second: they rise at 20 s.",
		X:      Axis{Unit: Seconds, Label: "since the run began"},
		Y:      Axis{Unit: Milliseconds},
		Bands:  []Band{{From: 10, To: 40}},
		Marks:  []Mark{{X: 20, Text: "1"}, {X: 20.5, Text: "2"}},
		Limits: []Limit{{Y: 20, Text: "p(99) < 20ms"}},
	}
	for i, name := range []string{"p(50)", "p(95)", "p(99)"} {
		s := Series{Name: name, Style: Style(i % 3)}
		for x := range 45 {
			p := Point{float64(x), float64(i+1)*4 + 3*math.Sin(float64(x)/5)}
			if x == 30 {
				p.Y = math.NaN()
			}
			s.Points = append(s.Points, p)
		}
		c.Series = append(c.Series, s)
	}
	return c
}

// elements are the names of an SVG's elements and their attributes, in order.
func elements(t *testing.T, svg string) (all []xml.StartElement) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err, svg)
		if e, ok := token.(xml.StartElement); ok {
			all = append(all, e.Copy())
		}
	}
}

func TestSVGIsWellFormedWithoutScriptOrStyle(t *testing.T) {
	svg, err := sample().SVG()
	require.NoError(t, err)
	names := map[string]int{}
	for _, e := range elements(t, svg) {
		names[e.Name.Local]++
		for _, a := range e.Attr {
			assert.NotEqual(t, "style", a.Name.Local, "a strict Content-Security-Policy drops it")
			assert.False(t, strings.HasPrefix(a.Name.Local, "on"), a.Name.Local)
		}
	}
	assert.Zero(t, names["script"])
	assert.Zero(t, names["style"])
	assert.Equal(t, 1+strings.Count(svg, "f-hit"), names["title"], "the chart's own, and one for each place with values")
	assert.Equal(t, 1, names["desc"])
	assert.NotContains(t, svg, "NaN")
}

func TestCSSHasEveryClass(t *testing.T) {
	c := sample()
	c.Series = append(c.Series, Series{Style: Bars, Points: []Point{{1, 2}, {2, 3}}}, Series{Style: Dots, Points: []Point{{1, 2}}}, Series{Style: Area, Tone: Tones, Points: []Point{{1, 2}, {2, 2}}})
	svg, err := c.Standalone()
	require.NoError(t, err)
	classes := regexp.MustCompile(`class="([fk]-[a-z0-9]+)"`).FindAllStringSubmatch(svg, -1)
	require.NotEmpty(t, classes)
	for _, class := range classes {
		assert.Contains(t, CSS, "."+class[1]+" {", "class %s", class[1])
	}
}

func TestSVGContents(t *testing.T) {
	line := func(points ...Point) Series { return Series{Name: "s", Points: points} }
	count := func(svg, class string) int { return strings.Count(svg, `class="`+class+`"`) }
	for _, c := range []struct {
		name  string
		chart Chart
		check func(*testing.T, string)
	}{
		{"a chart without points says so", Chart{}, func(t *testing.T, svg string) { assert.Contains(t, svg, ">no data<") }},
		{"a point that is NaN alone is no data", Chart{Series: []Series{line(Point{1, math.NaN()})}}, func(t *testing.T, svg string) { assert.Contains(t, svg, ">no data<") }},
		{"a point that is NaN breaks the line in two", Chart{Series: []Series{line(Point{0, 1}, Point{1, 1}, Point{2, math.NaN()}, Point{3, 1}, Point{4, 1})}}, func(t *testing.T, svg string) {
			assert.Equal(t, 1+2, count(svg, "k-s1"), "the legend's and two parts")
		}},
		{"a point alone between two that are NaN is a dot", Chart{Series: []Series{line(Point{0, math.NaN()}, Point{1, 1}, Point{2, math.NaN()})}}, func(t *testing.T, svg string) { assert.Equal(t, 1, count(svg, "f-s1")) }},
		{"a point that a logarithm has no place for does not show", Chart{X: Axis{Scale: Log}, Series: []Series{{Style: Dots, Points: []Point{{1, 1}, {10, 2}}}}}, func(t *testing.T, svg string) { assert.Equal(t, 2, count(svg, "f-s1")) }},
		{"a limit near the data shows", Chart{Series: []Series{line(Point{0, 1}, Point{1, 9})}, Limits: []Limit{{10, "limit"}}}, func(t *testing.T, svg string) { assert.Contains(t, svg, ">limit<") }},
		{"a limit far above does not flatten the data", Chart{Series: []Series{line(Point{0, 1}, Point{1, 9})}, Limits: []Limit{{1000, "limit"}}}, func(t *testing.T, svg string) { assert.NotContains(t, svg, ">limit<") }},
		{"a mark outside does not show", Chart{Series: []Series{line(Point{0, 1}, Point{1, 9})}, Marks: []Mark{{5, "mark"}}}, func(t *testing.T, svg string) { assert.NotContains(t, svg, ">mark<") }},
		{"a share that is always 1 ends at 100 %", Chart{Y: Axis{Unit: Share, Fit: true}, Series: []Series{line(Point{0, 1}, Point{1, 1})}}, func(t *testing.T, svg string) {
			assert.Contains(t, svg, ">100%<")
			assert.NotContains(t, svg, ">200%<")
		}},
		{"a bar of nothing is not drawn", Chart{Series: []Series{{Style: Bars, Points: []Point{{0, 0}, {1, 5}}}}}, func(t *testing.T, svg string) { assert.Equal(t, 1, count(svg, "f-s1")) }},
		{"stacks stand on each other", Chart{Y: Axis{Min: 0, Max: 10}, Series: []Series{{Style: Stack, Points: []Point{{0, 4}, {1, 0}}}, {Style: Stack, Points: []Point{{0, 5}, {1, 1}}}}}, func(t *testing.T, svg string) {
			assert.Equal(t, 1, count(svg, "f-s1"))
			assert.Equal(t, 2, count(svg, "f-s2"))
			edges := regexp.MustCompile(`class="f-s[12]" [^>]*y="([0-9.]+)" [^>]*height="([0-9.]+)"`).FindAllStringSubmatch(svg, -1)
			require.Len(t, edges, 3, svg)
			number := func(text string) float64 {
				v, err := strconv.ParseFloat(text, 64)
				require.NoError(t, err)
				return v
			}
			assert.InDelta(t, number(edges[0][1]), number(edges[1][1])+number(edges[1][2]), 0.2, "the second begins where the first ends")
			assert.InDelta(t, 1.25, number(edges[1][2])/number(edges[0][2]), 0.02)
		}},
		{"names stand in place of numbers", Chart{X: Axis{Names: []string{"ours", "theirs"}, Min: -0.5, Max: 1.5}, Series: []Series{{Style: Bars, Points: []Point{{0, 4}, {1, 5}}}}}, func(t *testing.T, svg string) { assert.Contains(t, svg, ">theirs<") }},
		{"the values at a place are one title", Chart{X: Axis{Unit: Seconds}, Y: Axis{Unit: Milliseconds}, Series: []Series{
			{Name: "p(50)", Points: []Point{{1, 2}, {2, 3.14159}}}, {Name: "p(99)", Points: []Point{{1, math.NaN()}, {2, 40}}},
		}}, func(t *testing.T, svg string) {
			assert.Contains(t, svg, "<title>1s\np(50) 2ms</title>")
			assert.Contains(t, svg, "<title>2s\np(50) 3.142ms\np(99) 40ms</title>")
		}},
		{"a bar is called by its name", Chart{X: Axis{Names: []string{"ours", "theirs"}, Min: -0.5, Max: 1.5}, Series: []Series{{Style: Bars, Points: []Point{{0, 4}, {1, 5}}}}}, func(t *testing.T, svg string) {
			assert.Contains(t, svg, "<title>theirs\n5</title>")
		}},
		{"words are escaped", Chart{Series: []Series{{Name: "<script>&", Points: []Point{{0, 1}, {1, 1}}}}}, func(t *testing.T, svg string) { assert.Contains(t, svg, "&lt;script&gt;&amp;") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.chart.Title, c.chart.Description = "a title", "a description"
			svg, err := c.chart.SVG()
			require.NoError(t, err)
			elements(t, svg)
			assert.NotContains(t, svg, "NaN")
			assert.NotContains(t, svg, "Inf")
			c.check(t, svg)
		})
	}
}

func TestSVGRejectsBadCharts(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Chart)
	}{
		{"no title", func(c *Chart) { c.Title = "" }},
		{"no description", func(c *Chart) { c.Description = "" }},
		{"an axis that runs backwards", func(c *Chart) { c.X.Min, c.X.Max = 2, 1 }},
		{"a logarithm from 0 on", func(c *Chart) { c.Y.Scale, c.Y.Max = Log, 1 }},
		{"a point at no place", func(c *Chart) { c.Series[0].Points[0].X = math.NaN() }},
		{"a point at infinity", func(c *Chart) { c.Series[0].Points[0].Y = math.Inf(1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			chart := sample()
			c.change(&chart)
			_, err := chart.SVG()
			assert.Error(t, err)
		})
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		name     string
		axis     Axis
		min, max float64
		want     string
	}{
		{"plain numbers", Axis{}, 0, 530, "0 200 400"},
		{"thousands", Axis{}, 0, 52_000, "0 20k 40k"},
		{"seconds", Axis{Unit: Seconds}, 0, 45, "0 10s 20s 30s 40s"},
		{"minutes", Axis{Unit: Seconds}, 0, 600, "0 2m 4m 6m 8m 10m"},
		{"milliseconds", Axis{Unit: Milliseconds}, 0, 24, "0 5ms 10ms 15ms 20ms"},
		{"microseconds", Axis{Unit: Milliseconds}, 0, 0.5, "0 100µs 200µs 300µs 400µs 500µs"},
		{"bytes", Axis{Unit: Bytes}, 0, 70 << 20, "0 20MiB 40MiB 60MiB"},
		{"shares", Axis{Unit: Share}, 0.99, 1, "99% 99.2% 99.4% 99.6% 99.8% 100%"},
		{"decades", Axis{Unit: Milliseconds, Scale: Log}, 0.5, 2000, "1ms 10ms 100ms 1s"},
		{"few decades", Axis{Unit: Milliseconds, Scale: Log}, 1, 20, "1ms 2ms 5ms 10ms 20ms"},
		{"nines", Axis{Unit: Share, Scale: Tail}, 0, 0.9999, "0% 90% 99% 99.9% 99.99%"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, tick := range c.axis.ticks(span{c.min, c.max}, 5) {
				got = append(got, tick.label)
			}
			assert.Equal(t, c.want, strings.Join(got, " "))
		})
	}
}

func TestEachToneHasAColourOfItsOwn(t *testing.T) {
	const apart = 50 // of 441, from black to white: two pinks of a stack were 37 apart, and looked alike
	for i, scheme := range strings.SplitN(CSS, "prefers-color-scheme: dark", 2) {
		var seen [][3]float64
		for tone := 1; tone <= Tones; tone++ {
			found := regexp.MustCompile(fmt.Sprintf(`--chart-s%d, #([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})`, tone)).FindStringSubmatch(scheme)
			require.NotNil(t, found, "tone %d of scheme %d", tone, i)
			var colour [3]float64
			for part := range colour {
				value, err := strconv.ParseUint(found[1+part], 16, 8)
				require.NoError(t, err)
				colour[part] = float64(value)
			}
			for before, other := range seen {
				distance := math.Sqrt(math.Pow(colour[0]-other[0], 2) + math.Pow(colour[1]-other[1], 2) + math.Pow(colour[2]-other[2], 2))
				assert.Greater(t, distance, float64(apart), "tones %d and %d of scheme %d", before+1, tone, i)
			}
			seen = append(seen, colour)
		}
	}
}

func TestHoverOfALongRunIsBounded(t *testing.T) {
	var s Series
	for i := range 10 * maxHits {
		s.Points = append(s.Points, Point{float64(i), 1})
	}
	svg, err := Chart{Title: "long", Description: "a long run", Series: []Series{s}}.SVG()
	require.NoError(t, err)
	assert.LessOrEqual(t, strings.Count(svg, "f-hit"), maxHits)
}

func TestSVGConcurrently(t *testing.T) {
	want, err := sample().SVG()
	require.NoError(t, err)
	var drawing sync.WaitGroup
	for range 8 {
		drawing.Go(func() {
			got, err := sample().SVG()
			assert.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
	drawing.Wait()
}

// TestWriteSample writes the sample where EARSHOT_CHART_OUT says, to look at it.
func TestWriteSample(t *testing.T) {
	dir := os.Getenv("EARSHOT_CHART_OUT")
	if dir == "" {
		t.Skip("nobody looks")
	}
	svg, err := sample().Standalone()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sample.svg"), []byte(svg), 0o644))
}
