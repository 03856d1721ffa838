/**
 * The current page. It is in the URL's fragment, which is never sent to a server, so
 * an invite's code appears in no log and no Referer.
 *
 * @typedef {{at: "home"} | {at: "room", room: string} | {at: "invite", code: string} | {at: "plan", plan: string} | {at: "cohost", plan: string, code: string}} Route
 */

/**
 * @param {string} hash with its "#"
 * @returns {Route}
 */
export function read(hash) {
  const found = hash.match(/^#\/([rihp])\/([^/]+)$/);
  if (!found?.[2]) return { at: "home" };
  let value;
  try {
    value = decodeURIComponent(found[2]);
  } catch {
    return { at: "home" };
  }
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

/**
 * @param {Route} route
 * @returns {string} the fragment, with its "#"
 */
export function write(route) {
  switch (route.at) {
    case "home":
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
