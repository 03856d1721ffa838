/**
 * The current page. It is in the URL's fragment, which is never sent to a server, so
 * an invite's code appears in no log and no Referer.
 *
 * @typedef {{at: "home"} | {at: "room", room: string} | {at: "invite", code: string} | {at: "plan", plan: string} | {at: "cohost", plan: string, code: string} | {at: "nowhere"}} Route
 */

/**
 * @param {string} hash with its "#"
 * @returns {Route}
 */
export function read(hash) {
  if (/^#?\/?$/.test(hash)) return { at: "home" };
  const found = hash.match(/^#\/([rihp])\/([^/]+)\/?$/);
  const value = decoded(found?.[2] ?? "").replace(found?.[1] === "r" ? trailing : fullStop, "");
  if (!found || !value) return { at: "nowhere" };
  const [plan = "", code = ""] = value.split(".");
  switch (found[1]) {
    case "r":
      return { at: "room", room: value };
    case "p":
      return { at: "plan", plan: value };
    case "h":
      return { at: "cohost", plan, code };
    default:
      return { at: "invite", code: value };
  }
}

/** What a program or a person takes along that copies a link out of a text. */
const trailing = /[\s,;:!?'"’”»)\]}>*…]+$/u;
/** The same, with what only a room's id may end in. */
const fullStop = /[\s.,;:!?'"’”»)\]}>*…]+$/u;

/** @param {string} part of an address; "" if it is none */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

/**
 * @param {Route} route
 * @returns {string} the fragment, with its "#"
 */
export function write(route) {
  switch (route.at) {
    case "home":
    case "nowhere":
      return "#/";
    case "room":
      return `#/r/${encodeURIComponent(route.room)}`;
    case "invite":
      return `#/i/${encodeURIComponent(route.code)}`;
    case "plan":
      return `#/p/${encodeURIComponent(route.plan)}`;
    case "cohost":
      return `#/h/${encodeURIComponent(`${route.plan}.${route.code}`)}`;
  }
}

/**
 * The full address of a place on this page, to be sent to others.
 * @param {Route} route
 */
export function link(route) {
  return new URL("/" + write(route), location.origin).href;
}

/**
 * An address made of a title, as far as its letters go; titles without any get
 * one of their own.
 * @param {string} title
 */
export function slug(title) {
  const plain = title.toLowerCase().replaceAll("ß", "ss").normalize("NFKD").replace(/\p{M}/gu, "");
  return plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60) || chance();
}

/**
 * Another address for the same title, since the first is taken.
 * @param {string} id
 */
export const another = (id) => `${id.slice(0, 50)}-${chance()}`;

const chance = () => Math.random().toString(36).slice(2, 8).padEnd(6, "0");
