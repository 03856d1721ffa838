/**
 * @typedef {import("./types.js").Role} Role
 * @typedef {import("./types.js").StageMember} StageMember
 * @typedef {import("./types.js").Hand} Hand
 * @typedef {import("./types.js").Joined} Joined
 * @typedef {import("./types.js").Resumed} Resumed
 * @typedef {import("./types.js").Presence} Presence
 * @typedef {import("./types.js").StageChange} StageChange
 * @typedef {import("./types.js").Rules} Rules
 */

/**
 * The people in the room as the server reports them: the stage by name, the audience
 * as a number. Only the server's messages change it.
 */
export class Roster {
  room = "";
  /** The user's id, role and voice. */
  me = "";
  /** @type {Role} */
  role = "listener";
  talker = 0;
  slots = 0;
  audience = 0;
  /** @type {StageMember[]} those longest there first */
  stage = [];
  /** @type {Hand[]} the longest raised first; known on stage only */
  hands = [];
  handCount = 0;
  /** Whether the user's hand is raised. */
  handUp = false;
  /** The user's overflow hall; 0 is the room itself. */
  hall = 0;
  /** Listeners of all halls; known on stage only. */
  total = 0;
  /** @type {Rules} */
  rules = { hands: "everyone", self_unmute: false, visibility: "open" };
  /** Who was the last host to leave, while there is no host. */
  lastHost = "";
  /** Who on stage has applauded since somebody looked. @type {string[]} */
  applause = [];
  /** The number of the last change of the stage, and the secret to come back with. */
  rev = 0;
  key = "";

  get onStage() {
    return this.role !== "listener";
  }

  get hosting() {
    return this.role === "host";
  }

  /** How many people listen, as far as the server says. */
  get listeners() {
    return this.onStage ? Math.max(this.total, this.audience) : this.audience;
  }

  /** The user on stage, if they are. */
  get self() {
    return this.find(this.me);
  }

  /** @param {string} member */
  find(member) {
    return this.stage.find((m) => m.member === member);
  }

  /**
   * Starts again from the room's current state.
   * @param {Joined} m
   */
  joined(m) {
    this.stage = m.stage;
    this.lastHost = "";
    this.rev = 0;
    this.hands = [];
    this.handCount = 0;
    this.handUp = false;
    this.#take(m);
  }

  /**
   * Continues after a lost connection, with what was missed.
   * @param {Resumed} m
   */
  resumed(m) {
    if (m.stage) this.stage = m.stage;
    this.#change(m.stage_changes ?? []);
    if (m.role !== this.role) this.became(m.role);
    this.hands = [];
    this.handCount = 0;
    this.#take(m);
  }

  /**
   * @param {Presence} m
   * @returns {{came: StageMember[], went: StageMember[]}} who came to the stage and who left it
   */
  presence(m) {
    this.audience = m.audience;
    this.total = m.total ?? 0;
    this.rev = Math.max(this.rev, m.rev ?? 0);
    this.rules = m.rules ?? this.rules;
    this.applause.push(...(m.applause ?? []));
    if (m.hands) {
      this.hands = m.hands;
      this.handCount = m.hand_count ?? m.hands.length;
    }
    return this.#change(m.stage_changes ?? []);
  }

  /** @param {Role} role the user's new role */
  became(role) {
    this.role = role;
    this.handUp = false;
    if (!this.onStage) {
      this.hands = [];
      this.handCount = 0;
      this.total = 0;
    }
  }

  /** @param {Joined | Resumed} m */
  #take(m) {
    this.room = m.room;
    this.me = m.member;
    this.role = m.role;
    this.talker = m.talker;
    this.slots = m.slots;
    this.audience = m.audience;
    this.hall = m.hall ?? 0;
    this.total = m.total ?? 0;
    this.rev = Math.max(this.rev, m.rev ?? 0);
    this.rules = m.rules ?? this.rules;
    this.key = m.resume?.key ?? "";
    if (m.hands) {
      this.hands = m.hands;
      this.handCount = m.hand_count ?? m.hands.length;
    }
  }

  /** @param {StageChange[]} changes */
  #change(changes) {
    /** @type {StageMember[]} */
    const came = [], went = [];
    for (const { gone, ...member } of changes) {
      const at = this.stage.findIndex((s) => s.member === member.member);
      if (gone) {
        if (at >= 0) went.push(...this.stage.splice(at, 1));
        if (went.at(-1)?.role === "host") this.lastHost = went.at(-1)?.name ?? "";
      } else if (at >= 0) {
        this.stage[at] = member;
      } else {
        this.stage.push(member);
        came.push(member);
      }
    }
    if (this.stage.some((m) => m.role === "host")) this.lastHost = "";
    return { came, went };
  }
}
