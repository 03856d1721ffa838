/**
 * The current page. It is in the URL's fragment, which is never sent to a server, so
 * an invite's code appears in no log and no Referer.
 *
 * @typedef {{at: "home"} | {at: "room", room: string} | {at: "invite", code: string}} Route
 */

/**
 * @param {string} hash with its "#"
 * @returns {Route}
 */
export function read(hash) {
  const found = hash.match(/^#\/([ri])\/([^/]+)$/);
  if (!found?.[2]) return { at: "home" };
  let value;
  try {
    value = decodeURIComponent(found[2]);
  } catch {
    return { at: "home" };
  }
  return found[1] === "r" ? { at: "room", room: value } : { at: "invite", code: value };
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
 * Makes a title fit for an address.
 * @param {string} title
 */
export function slug(title) {
  const plain = title.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  return plain || `room-${Math.random().toString(36).slice(2, 8)}`;
}

/**
 * What a room is called. On an open server the address is the name: it is read
 * back as the title it was made of.
 * @param {{room?: string, name: string}} about
 */
export function titleOf({ room, name }) {
  if (room !== name || !/^[a-z0-9-]+$/.test(name)) return name;
  const words = name.replaceAll("-", " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
