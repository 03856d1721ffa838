/**
 * What the page remembers. A tab's own memory comes before the browser's, so that the
 * user can be somebody else in a second tab, with another invite.
 *
 * @typedef {import("./types.js").Role} Role
 *
 * @typedef {object} Session what the server gave one to come in with
 * @property {string} token
 * @property {string} [expires_at] missing: it does not expire
 * @property {string} [refresh_token]
 * @property {string} [kind] "member", "guest", "host", or "operator"
 * @property {string} [name]
 * @property {string} [room]
 * @property {Role} [role]
 * @property {number} [invites] how many people the member may invite to the club
 */

const prefix = "earshot.";

/**
 * @param {Storage} storage
 * @param {string} key
 * @returns {any}
 */
function get(storage, key) {
  try {
    return JSON.parse(storage.getItem(prefix + key) ?? "null");
  } catch {
    return null; // a browser that keeps nothing
  }
}

/**
 * @param {Storage} storage
 * @param {string} key
 * @param {any} value null: forget it
 */
function set(storage, key, value) {
  try {
    if (value === null) storage.removeItem(prefix + key);
    else storage.setItem(prefix + key, JSON.stringify(value));
  } catch {
    // Then it is asked for again.
  }
}

/** The user's name. */
export const name = {
  /** @returns {string} */
  get: () => get(localStorage, "name") ?? "",
  set: (/** @type {string} */ value) => set(localStorage, "name", value),
};

/** The language that the user has picked; "": none. */
export const language = {
  /** @returns {string} */
  get: () => String(get(localStorage, "language") ?? ""),
  set: (/** @type {string} */ value) => set(localStorage, "language", value),
};

/** The user's login: a member of the club, or the operator. */
export const identity = {
  /** @returns {Session | null} */
  get: () => get(localStorage, "identity"),
  set: (/** @type {Session | null} */ session) => set(localStorage, "identity", session),
};

/** The login key of a new member, until they have kept it: this tab's. */
export const key = {
  /** @returns {string | null} */
  get: () => get(sessionStorage, "key"),
  set: (/** @type {string | null} */ value) => set(sessionStorage, "key", value),
};

/** The user is called otherwise from now on. @param {string} value */
export function rename(value) {
  name.set(value);
  const session = identity.get();
  if (session) identity.set({ ...session, name: value });
}

/** The user's seat in a room: this tab's, else the browser's. */
export const seat = {
  /**
   * @param {string} room
   * @returns {Session | null}
   */
  get: (room) => get(sessionStorage, `seat.${room}`) ?? get(localStorage, `seat.${room}`),
  /**
   * Keeps a seat. A tab that has come in by another invite does not take the
   * browser's first seat away.
   * @param {string} room
   * @param {Session} session
   */
  set(room, session) {
    const first = get(localStorage, `seat.${room}`);
    if (!first || first.token === get(sessionStorage, `seat.${room}`)?.token) set(localStorage, `seat.${room}`, session);
    set(sessionStorage, `seat.${room}`, session);
  },
  /** @param {string} room */
  forget(room) {
    set(sessionStorage, `seat.${room}`, null);
    set(localStorage, `seat.${room}`, null);
  },
};

/**
 * @typedef {object} Sound how the user speaks and hears
 * @property {string} mic the microphone's id; "": as the system has it
 * @property {string} speaker the same of the speakers
 * @property {number} volume from 0 to 1
 * @property {boolean} echo whether echo is cancelled
 */

/** The user's choice of devices, for all rooms. */
export const sound = {
  /** @returns {Sound} */
  get: () => ({ mic: "", speaker: "", volume: 1, echo: true, ...get(localStorage, "sound") }),
  set: (/** @type {Sound} */ value) => set(localStorage, "sound", value),
};

/** The role that this tab has in a room of an open server. */
export const role = {
  /**
   * @param {string} room
   * @returns {Role | null}
   */
  get: (room) => get(sessionStorage, `role.${room}`),
  set: (/** @type {string} */ room, /** @type {Role} */ value) => set(sessionStorage, `role.${room}`, value),
};

/** The seat that an invite has given this browser: a link may be followed twice. */
export const redeemed = {
  /**
   * @param {string} code
   * @returns {Session | null}
   */
  get: (code) => get(localStorage, `invite.${code}`),
  set: (/** @type {string} */ code, /** @type {Session} */ session) => set(localStorage, `invite.${code}`, session),
};

/** Forgets everything, in the tab and in the browser. */
export function forgetAll() {
  for (const storage of [sessionStorage, localStorage]) {
    for (const key of Object.keys(storage)) if (key.startsWith(prefix)) storage.removeItem(key);
  }
}
