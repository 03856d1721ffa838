import {load, maybe, number, t, translate} from '/app/language.js';
import {identity} from '/app/vault.js';

// Shows what the server does, every two seconds while somebody looks.

const every = 2000;
const key = 'earshot-operator-token';
const now = part('now', HTMLElement);
const ask = part('ask', HTMLFormElement);
const token = part('token', HTMLInputElement);
const state = part('state', HTMLElement);

/**
 * The element of the page with an id, which is of that kind.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
function part(id, kind) {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`the page has no ${kind.name} #${id}`);
}

/** @param {string} text */
function say(text) {
  if (state.textContent !== text) state.textContent = text;
}

/** Asks for the token, with what was wrong about the last one. @param {string} why */
function wanted(why) {
  sessionStorage.removeItem(key);
  now.replaceChildren();
  ask.hidden = false;
  token.focus();
  say(why);
}

/** The token of an operator who has signed in on the first page. */
function signedIn() {
  const session = identity.get();
  return session?.kind === 'operator' ? session.token : '';
}

async function look() {
  const kept = sessionStorage.getItem(key) ?? signedIn();
  /** @type {Record<string, string>} */
  const headers = kept ? {Authorization: `Bearer ${kept}`} : {};
  try {
    const answer = await fetch('/operator/now', {headers});
    if (answer.status === 401 || answer.status === 403) {
      wanted(kept ? t('operator.token.wrong') : '');
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    now.innerHTML = await answer.text();
    speak(now);
    ask.hidden = true;
    say('');
  } catch (error) {
    say(t('operator.unreachable', {problem: error instanceof Error ? error.message : String(error)}));
  }
}

/**
 * Puts the visitor's language into what the server sent, which has keys in the place of texts.
 * @param {HTMLElement} root
 */
function speak(root) {
  translate(root);
  for (const element of root.querySelectorAll('[data-figures]')) element.textContent = figures(element.textContent ?? '');
  for (const element of root.querySelectorAll('svg title, svg desc, svg text')) {
    element.textContent = figures((element.textContent ?? '').replace(/operator\.[a-z_.]+/g, (key) => maybe(key) ?? key));
  }
}

/**
 * Writes the numbers in a text, such as 1,234.5, as the language does. A large one without commas, such as
 * those beside a chart's axis, stays so: there is no place for them.
 * @param {string} text
 */
const figures = (text) => text.replace(/\d+(,\d{3})*(\.\d+)?/g, (n) => (/^\d{4,}$/.test(n) ? n : number(Number(n.replaceAll(',', '')), n.split('.')[1]?.length ?? 0)));

/** Looks again and again; hidden pages wait. */
async function watch() {
  for (;;) {
    if (!document.hidden && ask.hidden) await look();
    await new Promise((done) => setTimeout(done, every));
  }
}

ask.addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(key, token.value.trim());
  token.value = '';
  ask.hidden = true;
  look();
});

try {
  await load();
  translate(document);
} finally {
  document.documentElement.classList.remove('waits');
}
watch();
