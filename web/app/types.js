/**
 * What goes over the wire, as docs/protocol.md has it.
 *
 * @typedef {"host" | "speaker" | "listener"} Role
 * @typedef {"ear" | "mic"} Media
 *
 * @typedef {object} StageMember somebody on stage
 * @property {string} member
 * @property {string} name
 * @property {Role} role
 * @property {number} talker the number of their voice, as in the CSRC of its packets
 * @property {boolean} muted
 * @property {boolean} [away] their connection is lost and may come back
 * @property {string} [profile] the id of what they show of themselves
 * @property {string} [picture] the name of their picture
 *
 * @typedef {StageMember & {gone?: boolean}} StageChange
 *
 * @typedef {object} Hand a raised hand
 * @property {string} member
 * @property {string} name
 *
 * @typedef {object} AudienceMember somebody in the audience
 * @property {string} member
 * @property {string} name
 * @property {boolean} [hand] their hand is raised
 * @property {boolean} [away] their connection is lost and may come back
 * @property {string} [profile] the id of what they show of themselves
 * @property {string} [picture] the name of their picture
 *
 * @typedef {object} AudiencePage
 * @property {AudienceMember[]} people
 * @property {number} count how many match
 * @property {number} [next] where the next page begins
 *
 * @typedef {object} Rules
 * @property {"off" | "everyone" | "invited"} hands
 * @property {boolean} self_unmute
 * @property {"open" | "members" | "closed"} visibility
 * @property {number} [audience_hold_ms] for how long the audience's packets may wait for others
 *
 * @typedef {object} Joined
 * @property {string} room
 * @property {string} member
 * @property {Role} role
 * @property {number} talker
 * @property {number} slots
 * @property {number} audience
 * @property {StageMember[]} stage
 * @property {number[]} talkers
 * @property {Hand[]} [hands]
 * @property {number} [hand_count]
 * @property {number} [hall]
 * @property {number} [total]
 * @property {number} [rev]
 * @property {Rules} [rules]
 * @property {{key: string, window_s: number}} [resume]
 *
 * @typedef {Omit<Joined, "stage"> & {stage?: StageMember[], stage_changes?: StageChange[], muted?: boolean}} Resumed
 *
 * @typedef {object} Presence
 * @property {number} audience
 * @property {number} [total]
 * @property {number} [rev]
 * @property {Rules} [rules]
 * @property {StageChange[]} [stage_changes]
 * @property {string[]} [applause] who on stage applauds
 * @property {Hand[]} [hands]
 * @property {number} [hand_count]
 *
 * @typedef {{type: string, id?: string, [field: string]: any}} Message any message
 */

/** An error from the server, or from the page itself. */
export class Refusal extends Error {
  /**
   * @param {string} code one of docs/protocol.md's, or one of this page's own
   * @param {string} [message] the server's words, for people
   */
  constructor(code, message) {
    super(message || code);
    this.name = "Refusal";
    /** @readonly */
    this.code = code;
  }
}

/**
 * Turns anything that was thrown into a Refusal.
 * @param {unknown} problem
 * @returns {Refusal}
 */
export function refusalOf(problem) {
  if (problem instanceof Refusal) return problem;
  if (problem instanceof DOMException) return new Refusal(problem.name, problem.message);
  return new Refusal("failed", problem instanceof Error ? problem.message : String(problem));
}
