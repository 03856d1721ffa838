/** Goodbyes after which the page reconnects by itself. */
export const passing = ["shutdown", "moved", "slow", "timeout", "protocol"];
/** Errors that another attempt does not change. */
export const final = ["unauthorized", "forbidden", "barred", "not_found", "room_ended", "bad_request", "unsupported_version"];
/** How long the pause between two attempts may become, in milliseconds. */
const longestPause = 8000;

/** When, and where, a lost connection is tried again. */
export class ComeBack {
  #attempt = 0;
  /** Where the room has moved, until that has been tried: "" is somewhere. @type {string | undefined} */
  #moved;

  /** Takes note of where the room moves. @param {import("./types.js").Message} m of the server */
  hear(m) {
    if (m.type === "redirect") this.#moved = m.url;
    else if (m.type === "goodbye" && m.reason === "moved") this.#moved ??= "";
  }

  /** Begins anew, after a success or when the network is back. */
  reset() {
    this.#attempt = 0;
  }

  /** @returns {{address: string | undefined, pause: number}} the next attempt, after a pause in milliseconds */
  next() {
    const address = this.#moved;
    this.#moved = undefined;
    // A room that has moved is there already: the pause only keeps all from coming at once.
    if (address !== undefined) return { address, pause: 100 * Math.random() };
    return { address, pause: Math.min(longestPause, 250 * 2 ** this.#attempt++) * (0.5 + Math.random() / 2) };
  }
}
