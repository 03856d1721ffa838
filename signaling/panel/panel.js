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

async function look() {
  const kept = sessionStorage.getItem(key);
  /** @type {Record<string, string>} */
  const headers = kept ? {Authorization: `Bearer ${kept}`} : {};
  try {
    const answer = await fetch('/operator/now', {headers});
    if (answer.status === 401 || answer.status === 403) {
      wanted(kept ? 'This is not the operator’s token.' : '');
      return;
    }
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    now.innerHTML = await answer.text();
    ask.hidden = true;
    say('');
  } catch (error) {
    say(`The server can’t be reached. This is the last that was known of it. (${error instanceof Error ? error.message : error})`);
  }
}

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

watch();
