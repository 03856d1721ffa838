package browser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/chromium"
)

// A pseudoLanguage is English in Hebrew letters: it runs from right to left, is 40 % longer, and
// whatever is still in Latin letters did not come from the table.
type pseudoLanguage map[string]any

// newPseudoLanguage translates the table of English.
func newPseudoLanguage(t *testing.T) pseudoLanguage {
	t.Helper()
	data, err := os.ReadFile("../../web/app/lang/en.json")
	require.NoError(t, err)
	var table pseudoLanguage
	require.NoError(t, json.Unmarshal(data, &table))
	for key, text := range table {
		switch text := text.(type) {
		case string:
			table[key] = pseudo(text)
		case map[string]any:
			for category, form := range text {
				text[category] = pseudo(form.(string))
			}
		}
	}
	table["language.direction"], table["language.formats"] = "rtl", "he"
	return table
}

// pseudo writes a text in other letters, but for its values in braces and the program's name, and
// makes it longer.
func pseudo(text string) string {
	alphabet := []rune("אבגדהוזחטיכלמנסעפצקרשת")
	var b strings.Builder
	letters, value := 0, false
	for i, word := range strings.Split(text, "earshot") {
		if i > 0 {
			b.WriteString("earshot")
		}
		for _, r := range word {
			value = r == '{' || value && r != '}'
			if lower := r | 0x20; !value && lower >= 'a' && lower <= 'z' {
				r = alphabet[int(lower-'a')%len(alphabet)]
				letters++
			}
			b.WriteRune(r)
		}
	}
	glued := len(text) > 0 && (text[len(text)-1]|0x20 >= 'a' && text[len(text)-1] != '}')
	for i := range (letters*2 + 4) / 5 { // words of six letters, the first at the end of the last
		if i%6 == 3 || i == 0 && !glued {
			b.WriteRune(' ')
		}
		b.WriteRune(alphabet[i*5%len(alphabet)])
	}
	return b.String()
}

// text is that of a key, with values one after another.
func (l pseudoLanguage) text(key string, values ...string) string {
	text := l[key].(string)
	for i := 0; i+1 < len(values); i += 2 {
		text = strings.ReplaceAll(text, "{"+values[i]+"}", "\u2068"+values[i+1]+"\u2069")
	}
	return text
}

// speaks has a person's browser be given a language, in the place of the server's files.
func (p *person) speaks(l pseudoLanguage) {
	p.t.Helper()
	table, err := json.Marshal(l)
	require.NoError(p.t, err)
	_, err = chromedp.Call(p.tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: fmt.Sprintf(`
		try { localStorage.setItem('earshot.language', '"he"'); } catch {} // about:blank has none
		const server = fetch, files = {'/app/languages.json': {en: 'English', he: '...'}, '/app/lang/he.json': %s};
		window.fetch = (path, ...how) => files[path] ? Promise.resolve(Response.json(files[path])) : server(path, ...how);
	`, table)})
	require.NoError(p.t, err)
}

// latin finds what is read or heard in Latin letters. What is the same in every language is left
// out: names of programs, ciphers, units and time zones, ids, and what the server stores.
const latin = `[document.title, ...[...document.body.querySelectorAll('*')].filter((e) => e.checkVisibility() && !e.closest('pre, code')).flatMap((e) =>
	[...['aria-label', 'title', 'placeholder', 'alt'].map((a) => e.getAttribute(a)), ...[...e.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE).map((n) => n.data)])]
	.filter((text) => /[a-z]{2}/i.test(text?.replace(/earshot|English|UTC|GMT|AEAD|AES|GCM|CM|HMAC|SHA1|MiB/g, '') ?? ''))`

// outside finds texts that leave the box that they stand in (what has a border or a background), or
// the screen. Names that are cut off on purpose are not meant.
const outside = `(() => {
	const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n = texts.nextNode(); n; n = texts.nextNode()) {
		const e = n.parentElement;
		if (!n.data.trim() || !e.checkVisibility() || e.closest('.sr-only, .toasts, select, pre, noscript')) continue;
		const range = document.createRange();
		range.selectNodeContents(n);
		const text = range.getBoundingClientRect();
		for (let box = e; box && text.width > 1; box = box.parentElement) {
			const style = getComputedStyle(box);
			if (style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none' || style.overflowY === 'auto') break;
			const drawn = box === document.documentElement || style.borderStyle !== 'none' && style.borderWidth !== '0px' || style.backgroundColor !== 'rgba(0, 0, 0, 0)';
			const r = box === document.documentElement ? {left: 0, right: innerWidth, top: -Infinity, bottom: Infinity} : box.getBoundingClientRect();
			if (drawn && (text.left < r.left - 1 || text.right > r.right + 1 || text.top < r.top - 3 || text.bottom > r.bottom + 3)) {
				found.push(n.data + ' leaves ' + box.outerHTML.slice(0, 80));
				break;
			}
		}
	}
	return found;
})()`

// translated requires that the page is in the pseudo-language, mirrored, and fits on phones and
// desktops, and that axe-core finds nothing.
func (p *person) translated(dir, what string) {
	p.t.Helper()
	for _, s := range []screen{{"small phone", 320, 640}, {"desktop at 200 %", desktop.width / 2, desktop.height / 2}, phone, desktop} {
		p.on(s, s == desktop)
		p.settled()
		name := what + "-" + s.name
		if s == phone || s == desktop {
			p.shot(dir, "pseudo-"+name)
		}
		assert.Empty(p.t, eval[[]string](p, outside), "%s: outside its box", name)
		p.fits(name)
	}
	assert.Empty(p.t, eval[[]string](p, latin), "%s: not in the table", what)
	assert.Equal(p.t, "rtl", eval[string](p, "getComputedStyle(document.querySelector('main')).direction"), what)
	chromium.RequireAccessible(p.t, p.tab, what)
}

// In a language that runs from right to left and is 40 % longer, every page is whole: nothing is in
// English, nothing leaves its box.
func TestPseudoLanguageFillsEveryPage(t *testing.T) {
	t.Parallel()
	l := newPseudoLanguage(t)
	dir := artifacts(t)
	closed, open := serve(t, "--operator-token", operatorToken, "--data", t.TempDir()), serve(t, "--open")
	ada := sharedChromium(t).person("אדה")
	ada.speaks(l)

	ada.goTo(closed.url)
	ada.sees(l.text("door.title"))
	ada.translated(dir, "door")
	ada.goTo(closed.url + "/operator")
	ada.sees(l.text("operator.look"))
	ada.translated(dir, "operator-door")
	ada.goTo(closed.clubInvite())
	ada.sees(l.text("gate.become_member"))
	ada.translated(dir, "invite")
	ada.fill(l.text("name.label"), ada.name)
	ada.click(l.text("gate.become_member"))
	ada.sees(l.text("keepsake.title"))
	ada.translated(dir, "keepsake")
	ada.click(l.text("keepsake.done"))
	ada.sees(l.text("member.you.name", "name", ada.name))
	ada.translated(dir, "hallway")
	ada.click(l.text("profile.title"))
	ada.sees(l.text("profile.text"))
	ada.translated(dir, "profile")
	ada.click(l.text("action.close"))
	ada.click(l.text("member.delete"))
	ada.translated(dir, "delete")
	ada.click(l.text("action.cancel"))
	ada.click(l.text("plans.new"))
	ada.fill(l.text("plan.about"), "רדיו")
	ada.translated(dir, "plan-dialog")
	ada.click(l.text("plan.submit"))
	ada.sees(l.text("plan.open"))
	ada.translated(dir, "plan")

	ada.goTo(open.url)
	ada.fill(l.text("open.about"), "רדיו")
	ada.fill(l.text("name.label"), ada.name)
	ada.click(l.text("open.submit"))
	ada.sees(l.text("stage.you", "name", ada.name))
	room := strings.TrimPrefix(eval[string](ada, "location.hash"), "#/r/")
	attend(t, open, room, "speaker", "נועה")
	attend(t, open, room, "listener", "יוסי")(map[string]any{"type": "raise-hand", "id": "1"})
	ada.connected()
	ada.click(strings.ReplaceAll(l.text("bar.hands"), "{n}", "1"))
	ada.click(l.text("connection.title"))
	ada.await("document.querySelector('.plot-line').getAttribute('d')")
	ada.translated(dir, "room")
	assert.True(t, eval[bool](ada, "document.querySelector('.bar .leave').getBoundingClientRect().left > document.querySelector('.bar .mic').getBoundingClientRect().left"), "the bar begins on the right")
	ada.picks("נועה")
	ada.sees(l.text("person.promote"))
	ada.translated(dir, "menu")
	ada.click(l.text("action.close"))
	ada.click(l.text("sound.open"))
	ada.await("document.querySelector('#sound-mic').options.length > 0")
	ada.translated(dir, "sound")
	ada.click(l.text("action.close"))
	ada.click(l.text("bar.invite"))
	ada.translated(dir, "share")
	ada.click(l.text("action.close"))
	ada.click(l.text("bar.leave"))
	ada.sees(l.text("leave.title"))
	ada.translated(dir, "leave")
	ada.click(l.text("leave.just"))
	ada.sees(l.text("ending.left"))
	ada.translated(dir, "over")
	ada.goTo(open.url + "/operator")
	ada.sees(l.text("operator.to_ears")) // which takes two looks
	ada.translated(dir, "operator")
	ada.goTo(open.url + "/nowhere")
	ada.sees(l.text("missing.title"))
	ada.translated(dir, "nowhere")
}
