import { ComeBack, final, passing } from "./comeback.js";
import { Hearing } from "./hearing.js";
import { Roster } from "./roster.js";
import { Signal } from "./signal.js";
import { Speaking } from "./speaking.js";
import { Refusal, refusalOf } from "./types.js";
import { listen } from "./voices.js";

/**
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Role} Role
 *
 * @typedef {object} Ticket what is needed to join
 * @property {string} room
 * @property {string} name
 * @property {() => Promise<string>} token "" on an open server
 * @property {Role} [role] requested on an open server; elsewhere the token has it
 *
 * @typedef {object} News a note to show once
 * @property {"info" | "error"} kind
 * @property {string} key which message; words.js has the text
 * @property {{[name: string]: string}} [values]
 * @property {string} [message] the server's text, if there is no better one
 *
 * @typedef {"joining" | "live" | "lost" | "over"} State
 */

/** How many servers in a row may send the user to another. */
const longestWay = 3;
/** How often voice levels are read, in milliseconds. */
const listenEvery = 100;

/**
 * The user's presence in a room, from joining to the goodbye: the
 * connection to the server, and its recovery.
 */
export class Call {
  ticket;
  roster = new Roster();
  hearing;
  speaking;
  /** @type {State} */
  state = "joining";
  /** Why it is over: a goodbye's reason or a refusal's code. */
  reason = "";
  /**
   * An invitation to the stage that waits for an answer.
   * @type {{role: Role, by: string} | undefined}
   */
  invitation;
  /** People in the audience who have not answered an invitation yet. @type {Set<string>} */
  asked = new Set();
  /** @type {Map<number, number>} levels of the audible voices, including the user's own */
  levels = new Map();

  /** @type {Signal | undefined} */
  #signal;
  #on;
  #back = new ComeBack();
  #retry = 0;
  #listening;

  /**
   * @param {Ticket} ticket
   * @param {object} on
   * @param {() => void} on.change something else to show
   * @param {() => void} on.levels other levels to show
   * @param {(news: News) => void} on.news
   */
  constructor(ticket, on) {
    this.ticket = ticket;
    this.#on = on;
    const common = { change: on.change, problem: (/** @type {unknown} */ e) => this.#complain(e) };
    this.hearing = new Hearing((request) => this.#ask(request), common);
    this.speaking = new Speaking((request) => this.#ask(request), { ...common, unplugged: () => this.#tell("unplugged") });
    this.#listening = setInterval(() => this.#hearLevels(), listenEvery);
    addEventListener("online", this.#hurry);
    addEventListener("pagehide", this.#hangUp);
  }

  /** Joins. It fails if the server refuses; after that it reconnects by itself. */
  async enter() {
    try {
      await this.#connect();
    } catch (problem) {
      this.#finish(refusalOf(problem).code);
      throw problem;
    }
  }

  /** Leaves. */
  async leave() {
    const signal = this.#signal;
    this.#finish("left");
    await signal?.ask({ type: "leave" }).catch(() => {}); // hanging up does as well
    signal?.close();
  }

  /**
   * Sends what a button asks for, and shows an error if that fails.
   * @param {{type: string, [field: string]: any}} request
   * @returns {Promise<boolean>} whether it was done
   */
  async request(request) {
    try {
      await this.#ask(request);
      this.#done(request);
      this.#on.change();
      return true;
    } catch (problem) {
      this.#complain(problem);
      return false;
    }
  }

  /**
   * Asks who is in the audience.
   * @param {{search?: string, from?: number, followed?: boolean}} [page] search and from are for hosts
   * @returns {Promise<import("./types.js").AudiencePage>}
   */
  async audience(page = {}) {
    return /** @type {any} */ (await this.#ask({ type: "list-audience", ...page }));
  }

  /** Plays after the browser refused to. Call it from a tap. */
  async resume() {
    try {
      await this.hearing.resume();
      this.#on.change();
    } catch (problem) {
      this.#complain(problem);
    }
  }

  /** @param {{type: string, [field: string]: any}} request that was granted */
  #done({ type, member }) {
    switch (type) {
      case "raise-hand":
        this.roster.handUp = true;
        break;
      case "lower-hand":
        if (!member) this.roster.handUp = false;
        break;
      case "invite-to-stage":
        this.asked.add(member);
        break;
      case "accept-stage":
      case "decline-stage":
        if (!member) this.invitation = undefined;
        break;
    }
  }

  /**
   * @param {string} [address] where another server has sent the user; empty: this page's
   * @param {number} [hops] how often that has happened in a row
   * @param {boolean} [moved] whether the room has moved, and its audio plays on for a moment where it was
   * @returns {Promise<void>}
   */
  async #connect(address = "", hops = 0, moved = false) {
    /** @type {Signal} */
    const signal = await Signal.open(address, (m) => signal === this.#signal && this.#hear(m), () => this.#lost(signal));
    this.#signal?.close();
    this.#signal = signal;
    const { room, name, token, role } = this.ticket;
    const join = () => signal.ask({ type: "join", room, name, role });
    const resuming = this.roster.key && !moved;
    const hello = signal.ask({ type: "hello", version: 1, token: await token(), name }); // and no wait for its answer
    const [, first] = await Promise.all([hello, resuming ? this.#takeUp(signal) : join()]);
    const joined = first ?? (await join());
    if (joined.type === "redirect") {
      if (hops >= longestWay) throw new Refusal("unavailable", "the servers send one another the way");
      return this.#connect(joined.url, hops + 1, moved);
    }
    if (this.state === "over") return signal.close();
    this.state = "live";
    this.#back.reset();
    if (resuming && first) this.#resumed(first);
    else this.#joined(/** @type {any} */ (joined), this.speaking.silent, moved);
    this.#on.change();
  }

  /**
   * Resumes the lost session, if it is still there.
   * @param {Signal} signal
   */
  async #takeUp(signal) {
    const { room, me: member, key, rev } = this.roster;
    try {
      return await signal.ask({ type: "resume", room, member, key, rev });
    } catch (problem) {
      if (!["not_found", "unknown_type"].includes(refusalOf(problem).code)) throw problem;
      return undefined;
    }
  }

  /**
   * @param {import("./types.js").Joined} m
   * @param {boolean} silent whether the mic was silent before, after a reconnect
   * @param {boolean} moved whether ear and mic play on where the room was
   */
  #joined(m, silent, moved) {
    this.roster.joined(m);
    this.invitation = undefined;
    this.asked.clear();
    if (moved) this.hearing.move(m.slots, true);
    else this.hearing.open(m.slots);
    if (this.roster.onStage) void this.speaking.begin(silent, moved);
    else this.speaking.close();
  }

  /** @param {Message} m the answer to resume */
  #resumed(m) {
    const wasOnStage = this.roster.onStage;
    this.roster.resumed(/** @type {any} */ (m));
    this.invitation = m.invite;
    if (m.ear) this.hearing.mend(m.slots);
    else this.hearing.open(m.slots);
    if (!this.roster.onStage) this.speaking.close();
    else if (!wasOnStage) void this.speaking.begin(true);
    else {
      this.speaking.muted = m.muted ?? false;
      if (!m.mic) void this.speaking.mend();
    }
  }

  /** @param {{type: string, [field: string]: any}} request */
  #ask(request) {
    if (!this.#signal || this.state !== "live") return Promise.reject(new Refusal("unreachable"));
    return this.#signal.ask(request);
  }

  /**
   * Handles messages that answer no request.
   * @param {Message} m
   */
  #hear(m) {
    this.#back.hear(m);
    switch (m.type) {
      case "presence": {
        const { came, went } = this.roster.presence(/** @type {any} */ (m));
        for (const { member, name } of came) if (member !== this.roster.me) this.#tell("came", { name });
        for (const { name } of went) this.#tell("went", { name });
        break;
      }
      case "role":
        this.#becomes(m.role);
        break;
      case "muted":
        this.#isMuted(m);
        break;
      case "stage-invite":
        this.invitation = { role: m.role, by: this.roster.find(m.by)?.name ?? "" };
        break;
      case "stage-invite-closed":
        this.#answered(m);
        break;
      case "guest-lapsed":
        this.#tell("guest-lapsed", { name: m.name });
        break;
      case "host-changed":
        if (m.member !== this.roster.me) this.#tell("host-changed", { name: m.name });
        break;
      case "media-closed":
        if (m.media === "ear") this.hearing.open(this.roster.slots);
        else if (m.reason === "lost") void this.speaking.mend();
        else this.speaking.close();
        break;
      case "media-moving":
        this.hearing.move(this.roster.slots);
        break;
      case "goodbye":
        if (m.reason === "shutdown") this.#tell("restarting");
        else if (!passing.includes(m.reason)) this.#finish(m.reason);
        break;
    }
    this.#on.change();
  }

  /** @param {Role} role the user's new role */
  #becomes(role) {
    const before = this.roster.role;
    const wasOnStage = this.roster.onStage;
    this.roster.became(role);
    this.invitation = undefined;
    if (!wasOnStage && this.roster.onStage) {
      this.#tell("promoted");
      void this.speaking.begin(true);
    } else if (wasOnStage && !this.roster.onStage) {
      this.speaking.close();
      this.speaking.is(false, { byHost: false, mayUnmute: true });
      this.#tell("demoted");
    } else if (role === "host" && before !== "host") {
      this.#tell("hosting");
    } else if (before === "host") {
      this.#tell("not-hosting");
    }
  }

  /** @param {Message} m */
  #isMuted({ muted, by, may_unmute: may }) {
    const byHost = by !== this.roster.me;
    const changed = this.speaking.muted !== muted;
    this.speaking.is(muted, { byHost, mayUnmute: may ?? (!byHost || this.roster.hosting) });
    if (byHost && changed) this.#tell(muted ? "muted-by-host" : "unmuted-by-host");
  }

  /** @param {Message} m the end of an invitation to the stage */
  #answered({ member, name, outcome }) {
    this.asked.delete(member);
    if (member === this.roster.me) {
      this.invitation = undefined;
      if (outcome === "lapsed" || outcome === "withdrawn") this.#tell("invitation-over");
    } else if (outcome !== "accepted") {
      this.#tell(outcome === "declined" ? "declined" : "no-answer", { name });
    }
  }

  /** @param {Signal} signal that has ended */
  #lost(signal) {
    if (signal !== this.#signal || this.state === "over" || this.state === "joining") return;
    this.#signal = undefined;
    this.state = "lost";
    this.#on.change();
    this.#reconnect();
  }

  #reconnect() {
    clearTimeout(this.#retry);
    const { address, pause } = this.#back.next();
    this.#retry = setTimeout(async () => {
      try {
        await this.#connect(address, 0, !!address);
        this.#tell("back");
      } catch (problem) {
        if (this.state === "over") return;
        const { code } = refusalOf(problem);
        if (final.includes(code)) {
          this.#finish(code);
          return;
        }
        this.state = "lost";
        this.#on.change();
        this.#reconnect();
      }
    }, pause);
  }

  #hurry = () => {
    if (this.state !== "lost") return void (this.state === "live" && this.hearing.changed(this.roster.slots));
    this.#back.reset();
    this.#reconnect();
  };

  /** Leaves when the page is closed, so that the seat is free at once. */
  #hangUp = () => this.#signal?.close();

  /** @param {string} reason */
  #finish(reason) {
    if (this.state === "over") return;
    this.state = "over";
    this.reason = reason;
    clearTimeout(this.#retry);
    clearInterval(this.#listening);
    removeEventListener("online", this.#hurry);
    removeEventListener("pagehide", this.#hangUp);
    this.hearing.close();
    this.speaking.close();
    this.levels = new Map();
    if (reason !== "left") this.#signal?.close();
    this.#on.change();
  }

  #hearLevels() {
    const { connection, state } = this.hearing;
    this.levels = connection && state === "connected" ? listen(connection) : new Map();
    if (!this.speaking.silent) {
      // You never hear yourself: your own ring comes from the microphone.
      void this.speaking.measure();
      this.levels.set(this.roster.talker, this.speaking.level);
    }
    this.#on.levels();
  }

  /**
   * @param {string} key
   * @param {{[name: string]: string}} [values]
   */
  #tell(key, values) {
    this.#on.news({ kind: "info", key, values });
  }

  /** @param {unknown} problem */
  #complain(problem) {
    if (this.state === "over") return;
    const { code, message } = refusalOf(problem);
    this.#on.news({ kind: "error", key: code, message });
    this.#on.change();
  }
}
