// Follows a run: the server sends the page's body whenever it changes. When the
// run has ended the page stays as it is, and needs no server.

const run = part('run', HTMLElement);
const state = part('state', HTMLElement);
const save = part('save', HTMLButtonElement);

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

/** Kept for the file to save, for which the server may be gone. */
const style = fetch('style.css').then((answer) => answer.text());

/** What the run comes to, in a word. @returns {string} */
const word = () => (run.querySelector('.verdict')?.textContent ?? '').trim();

/** @param {string} text */
function say(text) {
  if (state.textContent !== text) state.textContent = text;
}

const events = new EventSource('events');
events.addEventListener('body', (event) => {
  run.innerHTML = event.data;
  document.title = `${word()} ${run.querySelector('h1')?.textContent ?? 'earshot'}`;
  save.hidden = false;
  say('');
});
events.addEventListener('end', () => {
  events.close();
  say(word().includes('RUNNING') ? 'The run has ended without a report. This is the last that was known of it.'
    : 'The run has ended. This page needs its server no more.');
});
events.addEventListener('error', () => {
  if (events.readyState !== EventSource.CLOSED) say('No connection to the run. This is the last that was known of it.');
});

save.addEventListener('click', async () => {
  const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${document.title.replace(/[<>&]/g, '')}</title>
<style>${await style}</style>
</head>
<body>
${run.innerHTML}
</body>
</html>
`;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([page], {type: 'text/html'}));
  link.download = `${(run.querySelector('h1')?.textContent ?? 'run').replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 60)}.html`;
  link.click();
  URL.revokeObjectURL(link.href);
});
