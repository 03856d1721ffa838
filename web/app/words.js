/**
 * @typedef {object} Words
 * @property {string} title
 * @property {string} text what it means and what to do
 */

/**
 * Words for each refusal and each goodbye, by code or reason.
 * @type {{[code: string]: Words}}
 */
const endings = {
  left: { title: "You left quietly", text: "Nobody was disturbed. You can come back whenever you like." },
  ended: { title: "The room has ended", text: "The host closed the room for everybody. Thanks for listening." },
  removed: { title: "You were put out of this room", text: "A host asked you to leave. You can’t come back in." },
  banned: { title: "You were put out of this room", text: "A host asked you to leave. You can’t come back in." },
  replaced: {
    title: "You are listening somewhere else",
    text: "You came in from another window or device, so this one has gone quiet. You can be in one place at a time.",
  },
  not_found: {
    title: "There is no such room",
    text: "It has ended, or the link is not complete. Ask whoever sent it for a new one.",
  },
  invite_unavailable: {
    title: "This invite is no longer good",
    text: "It was used up, has expired, or was taken back. Ask whoever sent it for a new one.",
  },
  room_ended: { title: "The room has ended", text: "It was closed while you came in." },
  room_full: { title: "The room is full", text: "Every seat is taken. Try again in a moment: people come and go." },
  account_limit: { title: "You have as many as you may have", text: "End or take back one of them first." },
  stage_full: { title: "The stage is full", text: "Somebody has to step down first." },
  unauthorized: {
    title: "You need an invite",
    text: "Ask somebody in the room for a link. If you had one, it has expired or was for another room.",
  },
  forbidden: { title: "That is not yours to do", text: "Only a host can do this." },
  unreachable: {
    title: "The server can’t be reached",
    text: "Check your connection. The page tries again by itself.",
  },
  timeout: { title: "The server does not answer", text: "It may be busy. Try again in a moment." },
  unavailable: { title: "The server is restarting", text: "Try again in a moment." },
  rate_limited: { title: "That was a little fast", text: "Wait a moment and try again." },
  insecure: {
    title: "The microphone needs HTTPS",
    text: "Browsers give a microphone only to pages with a padlock. Open this page by its https:// address; whoever runs the server can start it with --tls-self-signed. You can listen as it is.",
  },
  NotAllowedError: {
    title: "The microphone is blocked",
    text: "The browser was told not to share it. Allow it next to the page’s address, then tap the microphone again.",
  },
  NotFoundError: { title: "No microphone was found", text: "Plug one in, then tap the microphone again." },
  NotReadableError: {
    title: "The microphone is busy",
    text: "Another program seems to use it. Close that one, then tap the microphone again.",
  },
  absent: {
    title: "This room isn’t open",
    text: "It has ended, or the link is not complete. You can open it, as its host.",
  },
  barred: { title: "You can’t come back in", text: "A host put you out of this room." },
  insecure_clipboard: { title: "Copy the link by hand", text: "The browser does not let this page copy." },
};

/**
 * @param {string} code
 * @param {string} [message] the server's own words
 * @returns {Words}
 */
export function ending(code, message) {
  return endings[code] ?? { title: "That did not work", text: message ? sentence(message) : `The server said “${code}”.` };
}

/**
 * Short notes, by key.
 * @type {{[key: string]: string}}
 */
const passing = {
  came: "{name} came to the stage",
  went: "{name} left the stage",
  promoted: "You are on stage. Your microphone is off until you turn it on.",
  demoted: "You are back in the audience",
  hosting: "You are a host now",
  "muted-by-host": "A host muted your microphone",
  "unmuted-by-host": "A host unmuted your microphone",
  unplugged: "The microphone was unplugged",
  restarting: "The server is restarting. You will be back in a moment.",
  copied: "Invite link copied",
  "hand-up": "Your hand is up. The hosts can see it.",
  "hand-down": "Your hand is down",
  back: "You are back",
  "host-changed": "{name} is host now",
  "not-hosting": "You are a speaker now",
  "guest-lapsed": "{name} was invited to the stage and did not come. The place is free.",
  declined: "{name} would rather listen",
  "no-answer": "{name} did not answer",
  "invitation-over": "The invitation to the stage is over",
};

/**
 * @param {string} key
 * @param {{[name: string]: string}} [values]
 */
export function aside(key, values = {}) {
  return (passing[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/**
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 */
export function count(n, one, many = one + "s") {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/**
 * Whether the audience's packets wait for one another, in words that fit on a phone.
 * @param {number} ms for how long at most
 */
export function bundling(ms) {
  return ms > 0 ? `In bundles, up to ${ms} ms later` : "At once";
}

/** @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
