import { refusalOf } from "./types.js";

/** @typedef {import("./types.js").AudienceMember} AudienceMember */

/** The shortest time between two requests, and what each person adds to it, in milliseconds. */
const askEvery = 3000;
const share = 10;

/**
 * The people in the audience, as far as the server lists them. It is asked when
 * somebody looks and their number has changed, and less often the more there are.
 */
export class Listeners {
  /** @type {AudienceMember[] | undefined} undefined: not known yet */
  people;
  #ask;
  #change;
  /** What was true when the server was asked last. */
  #known = "";
  #asked = -Infinity;
  #asking = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later;

  /**
   * @param {() => Promise<{people: AudienceMember[]}>} ask
   * @param {() => void} change called when there are other people to show
   */
  constructor(ask, change) {
    this.#ask = ask;
    this.#change = change;
  }

  /**
   * Somebody looks at the audience.
   * @param {string} state of the audience; another one means other people
   * @param {number} count how many there are
   */
  look(state, count) {
    if (this.#asking || state === this.#known || this.#later !== undefined) return;
    const wait = this.#asked + Math.max(askEvery, count * share) - performance.now();
    if (wait > 0) {
      this.#later = setTimeout(() => {
        this.#later = undefined;
        this.#change();
      }, wait);
      return;
    }
    void this.#load(state);
  }

  /** @param {string} state */
  async #load(state) {
    this.#asking = true;
    this.#asked = performance.now();
    try {
      this.people = (await this.#ask()).people;
      this.#known = state;
    } catch (problem) {
      // An older server lists nobody: then it is not asked again.
      if (refusalOf(problem).code === "unknown_type") this.#known = state;
    } finally {
      this.#asking = false;
    }
    this.#change();
  }

  /** Stops asking. */
  close() {
    clearTimeout(this.#later);
  }
}
