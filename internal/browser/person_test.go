package browser_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A person sits before a tab of their own and does what people do: they look for
// words, click on what has a name, and listen.
type person struct {
	t    *testing.T
	name string
	// device is what they do it with, in any browser; tab is Chromium's alone.
	device device
	tab    context.Context
	// asked counts how often the browser has asked them before it closed a page.
	asked atomic.Int32
}

// A device is a browser's tab, with a mouse and a keyboard.
type device interface {
	navigate(url string) error
	// evaluate gives the value of an expression, or of its promise, as JSON.
	evaluate(expression string) ([]byte, error)
	click(x, y float64) error
	write(text string) error
}

// watchConsole has the test fail over anything that the page throws or that its
// security policy forbids. It ends with the tab.
func (p *person) watchConsole() (ended <-chan struct{}) {
	messages := chromedp.Console(p.tab)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.IsException() || m.Source == "security" || strings.Contains(m.Text, "Content Security Policy") {
				assert.Fail(p.t, "the page went wrong", "%s: %s", p.name, m)
			}
		}
	}()
	return done
}

// agreesToLeave has the person close pages that the browser asks about. It ends with the tab.
func (p *person) agreesToLeave() (ended <-chan struct{}) {
	questions := chromedp.Events(p.tab, page.JavascriptDialogOpening)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, err := range questions {
			if err != nil {
				return
			}
			p.asked.Add(1)
			if _, err := chromedp.Call(p.tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}); err != nil {
				return // the tab is gone
			}
		}
	}()
	return done
}

// goTo opens an address, as if it were typed.
func (p *person) goTo(url string) {
	p.t.Helper()
	require.NoError(p.t, p.device.navigate("about:blank"), p.name) // else only the fragment would change
	require.NoError(p.t, p.device.navigate(url), p.name)
}

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, steps...), p.name)
}

// eval gives the value of an expression, or of its promise.
func eval[T any](p *person, format string, args ...any) T {
	p.t.Helper()
	expression := fmt.Sprintf(format, args...)
	v, err := evaluate[T](p, expression)
	require.NoError(p.t, err, "%s: %s", p.name, expression)
	return v
}

func evaluate[T any](p *person, expression string) (T, error) {
	var v *T
	raw, err := p.device.evaluate(expression)
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil || v == nil {
		return *new(T), cmp.Or(err, errors.New("the page has no such value"))
	}
	return *v, nil
}

// await waits until an expression is true. While a page loads, there may be nothing yet of
// which it could be.
func (p *person) await(format string, args ...any) {
	p.t.Helper()
	expression := fmt.Sprintf(format, args...)
	deadline := time.Now().Add(patience)
	for {
		is, err := evaluate[bool](p, fmt.Sprintf("Promise.resolve(%s).then(Boolean)", expression))
		if is {
			return
		}
		if time.Now().After(deadline) {
			require.FailNow(p.t, "in vain", "%s waited for %s (%v) on a page that says:\n%s", p.name, expression, err, p.page())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// page is the text that the person sees.
func (p *person) page() string { return eval[string](p, "document.body.innerText") }

// sees waits for words.
func (p *person) sees(words string) {
	p.t.Helper()
	p.await("document.body.innerText.includes(%q)", words)
}

// find is what can be clicked or filled in, by the name that a screen reader
// would say. Behind an open dialog nothing can.
const find = `((name) => [...(document.querySelector('dialog[open]') ?? document).querySelectorAll('button, input, select')]
  .find((e) => e.checkVisibility() && !e.disabled && !e.hasAttribute('aria-disabled')
    && [e.getAttribute('aria-label'), e.labels?.[0]?.innerText, e.innerText].some((n) => n?.replace(/\s+/g, ' ').trim() === name)))(%q)`

// click waits for a button and clicks in its middle.
func (p *person) click(name string) {
	p.t.Helper()
	p.clickOn(fmt.Sprintf(find, name))
}

// clickOn waits for an element that nothing covers, and clicks in its middle.
func (p *person) clickOn(element string) {
	p.t.Helper()
	p.await(`(() => { const e = %s; if (!e) return false; e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();
		window.middle = [r.x + r.width / 2, r.y + r.height / 2]; return e.contains(document.elementFromPoint(...middle)); })()`, element)
	at := eval[[]float64](p, "middle")
	require.NoError(p.t, p.device.click(at[0], at[1]), p.name)
}

// picks clicks on somebody on stage.
func (p *person) picks(name string) {
	p.t.Helper()
	p.clickOn(fmt.Sprintf("[...document.querySelectorAll('button.seat-person')].find((e) => e.querySelector('.seat-name').textContent === %q)", name))
}

// fill writes into a field.
func (p *person) fill(name, text string) {
	p.t.Helper()
	element := fmt.Sprintf(find, name)
	p.await("%s", element)
	eval[bool](p, "(() => { const e = %s; e.focus(); e.select(); return true; })()", element)
	require.NoError(p.t, p.device.write(text), p.name)
}

// choose chooses from a list.
func (p *person) choose(name, value string) {
	p.t.Helper()
	element := fmt.Sprintf(find, name)
	p.await("%s", element)
	eval[bool](p, "(() => { const e = %s; e.value = %q; return e.dispatchEvent(new Event('change', {bubbles: true})); })()", element, value)
}

// opensRoom opens a room from the front door of an open server, as its host.
func (p *person) opensRoom(url, title string) {
	p.t.Helper()
	p.goTo(url)
	p.fill("What is it about?", title)
	p.fill("Your name", p.name)
	p.click("Open the room")
	p.sees(p.name + " (you)")
}

// invites gets a link to give away.
func (p *person) invites() (link string) {
	p.t.Helper()
	p.click("Invite people")
	p.await("document.querySelector('#link')?.value")
	link = eval[string](p, "document.querySelector('#link').value")
	p.click("Close")
	return link
}

// follows a link and goes in, with one tap.
func (p *person) follows(link, button string) {
	p.t.Helper()
	p.goTo(link)
	p.fill("Your name", p.name)
	p.click(button)
	p.await("document.querySelector('.room')")
}

// connected waits until the ear is.
func (p *person) connected() {
	p.t.Helper()
	p.await("window.ear && ear()?.connectionState === 'connected'")
}

// hears waits until a section plays the voice, and returns the energy of what it played. It
// listens as soon as there is enough to tell, and begins anew after 5 s: the ear may be another
// by then.
func (p *person) hears(said envelope) float64 {
	p.t.Helper()
	var likes []float64
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		p.connected()
		eval[bool](p, "(window.taped = tape(), true)")
		for began, last := time.Now(), false; !last; {
			time.Sleep(250 * time.Millisecond)
			last = time.Since(began) > 5*time.Second
			likes = likes[:0]
			for _, heard := range eval[[]envelope](p, "taped.read()") {
				if len(heard) < span {
					continue
				}
				like := heard.likeness(said)
				if likes = append(likes, like); like > alike {
					eval[bool](p, "taped.stop().then(() => true)")
					p.t.Logf("%s hears it in %d ms, with a likeness of %.2f", p.name, 20*len(heard), like)
					return heard.energy()
				}
			}
		}
		eval[bool](p, "taped.stop().then(() => true)")
	}
	require.FailNow(p.t, "not heard", "%s heard likenesses of %.2f at last, and received %+v; the page says:\n%s", p.name, likes, p.inbound(), p.page())
	return 0
}

// records is what each section plays in a while.
func (p *person) records(d time.Duration) []envelope {
	p.t.Helper()
	return eval[[]envelope](p, "record(%d)", d.Milliseconds())
}

// flow is what an ear has received.
type flow struct {
	Packets, Lost, Nacks, Concealed, Silent, Samples int
	Energy                                           float64

	Slowed, Emitted int     // samples that were inserted to play slower, and all that were played
	Waited, Jitter  float64 // in seconds
}

func (p *person) inbound() flow {
	p.t.Helper()
	return eval[flow](p, "inbound()")
}
