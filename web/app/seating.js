/** @typedef {import("./types.js").StageMember} StageMember */

/** How many seats a phone shows at once. */
const inSight = 8;
/** How long somebody must talk before they come forward, in milliseconds: no cough does. */
const lasts = 800;

/**
 * The order of the seats where not all of them are in sight: who talks comes forward,
 * and nobody moves who is in sight already.
 */
export class Seating {
  /** Who has come forward, the latest first. @type {string[]} */
  #forward = [];
  /** Since when those talk who do, by member. @type {Map<string, number>} */
  #since = new Map();

  /**
   * Takes in who talks now.
   * @param {StageMember[]} stage as it is arranged
   * @param {(member: StageMember) => boolean} talking
   * @param {number} now in milliseconds
   * @returns {boolean} whether somebody has come forward
   */
  heard(stage, talking, now) {
    let moved = false;
    for (const [i, member] of stage.entries()) {
      const id = member.member;
      if (!talking(member)) {
        this.#since.delete(id);
        continue;
      }
      const since = this.#since.get(id) ?? now;
      this.#since.set(id, since);
      if (i < inSight || now - since < lasts) continue;
      this.#forward = [id, ...this.#forward.filter((other) => other !== id)].slice(0, inSight);
      moved = true;
    }
    return moved;
  }

  /**
   * The people on stage in the order of their seats.
   * @param {StageMember[]} stage those longest there first
   * @param {boolean} crowded whether seats may be out of sight
   */
  arrange(stage, crowded) {
    if (!crowded || stage.length <= inSight) return stage;
    const place = (/** @type {StageMember} */ m) => {
      const i = this.#forward.indexOf(m.member);
      return i < 0 ? inSight : i;
    };
    return stage.toSorted((a, b) => place(a) - place(b));
  }
}
