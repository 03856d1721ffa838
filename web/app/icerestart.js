import { Refusal } from "./types.js";

/**
 * The fragment of an offer that begins another ICE session (RFC 8840 section 9): its
 * credentials, and the first section, which carries all others.
 * @param {string} sdp
 */
export function fragmentOf(sdp) {
  const [session = "", section = ""] = sdp.split(/^(?=m=)/m);
  const value = (/** @type {string} */ name) => line(section, name) ?? line(session, name);
  return ["ice-ufrag", "ice-pwd"].map((name) => `a=${name}:${value(name)}\r\n`).join("") + `${section.split("\r\n")[0]}\r\na=mid:${value("mid")}\r\n`;
}

/**
 * A server's description, with the credentials of another ICE session.
 * @param {string} sdp
 * @param {string} fragment the server's
 */
export function restarted(sdp, fragment) {
  for (const name of ["ice-ufrag", "ice-pwd"]) {
    const value = line(fragment, name);
    if (!value) throw new Refusal("bad_answer", `no ${name}`);
    sdp = sdp.replace(new RegExp(`^a=${name}:.*$`, "gm"), () => `a=${name}:${value}`);
  }
  return sdp;
}

/**
 * @param {string} sdp
 * @param {string} name
 */
function line(sdp, name) {
  return sdp.match(new RegExp(`^a=${name}:([^\\r\\n]*)`, "m"))?.[1];
}
