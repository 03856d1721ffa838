import * as api from "./api.js";
import * as keyring from "./keyring.js";
import * as vault from "./vault.js";

/** Whom the user follows, by the ids of their profiles. */
export class Followed {
  /** @type {Set<string>} */
  #ids = new Set();

  /** Whether the user follows anybody. */
  get any() {
    return this.#ids.size > 0;
  }

  /** @param {string | undefined} profile */
  has(profile) {
    return profile !== undefined && this.#ids.has(profile);
  }

  /** Asks the server. Who has no account follows nobody. */
  async load() {
    if (vault.identity.get()?.kind !== "member") return;
    const list = await api.listFollowing(await keyring.houseToken()).catch(() => []);
    this.#ids = new Set(list.map((p) => p.profile));
  }

  /**
   * Follows somebody, or not any more.
   * @param {string} profile
   * @param {boolean} on
   */
  async follow(profile, on) {
    await api.follow(profile, on, await keyring.houseToken());
    if (on) this.#ids.add(profile);
    else this.#ids.delete(profile);
  }
}
