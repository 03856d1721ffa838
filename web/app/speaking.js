import { Mic } from "./mic.js";

/**
 * @typedef {"off" | "asking" | "connecting" | "on"} MicState
 * @typedef {(request: {type: string, [field: string]: any}) => Promise<any>} Ask
 */

/**
 * The user's voice in the room: the microphone, which the browser is asked for only
 * on first use, and whether it is muted. A user who has not turned the microphone on
 * is muted on the server too.
 */
export class Speaking {
  /** @type {Mic | undefined} */
  mic;
  /** @type {MicState} */
  state = "off";
  /** Whether the server has muted the user. */
  muted = false;
  /** Whether the user may undo that. */
  mayUnmute = true;
  /** Whether somebody else did it. */
  byHost = false;
  level = 0;

  #ask;
  #on;
  /**
   * What the server has been asked for last, until it has said what has changed since.
   * @type {{muted: boolean, answered: boolean} | undefined}
   */
  #asked;

  /**
   * @param {Ask} ask
   * @param {{change: () => void, problem: (e: unknown) => void, unplugged: () => void}} on
   */
  constructor(ask, on) {
    this.#ask = ask;
    this.#on = on;
  }

  get connection() {
    return this.mic?.connection;
  }

  get silent() {
    return this.state !== "on" || this.muted;
  }

  /**
   * Turns the microphone on, mutes it, or unmutes it. Who does so twice at once does not
   * wait for the server in between.
   */
  async toggle() {
    if (this.state === "off") await this.#open();
    else if (this.state === "on") await this.#mute(!(this.#asked ?? this).muted);
  }

  /**
   * Starts on stage, or after a reconnect: a microphone that was on is offered
   * again, muted if it was muted.
   * @param {boolean} muted whether it was silent
   * @param {boolean} [moved] whether the room has moved: the mic is heard for a moment where it was, too
   */
  async begin(muted, moved = false) {
    const stream = this.mic?.stream;
    try {
      if (!stream || muted) await this.#ask({ type: "mute", muted: true });
      if (stream) await this.#open(stream, moved);
    } catch (problem) {
      this.#on.problem(problem);
    }
  }

  /**
   * The server muted or unmuted this mic.
   * @param {boolean} muted
   * @param {{byHost: boolean, mayUnmute: boolean}} how
   */
  is(muted, { byHost, mayUnmute }) {
    this.muted = muted;
    if (this.#asked?.answered) this.#asked = undefined;
    this.byHost = muted && byHost;
    this.mayUnmute = !muted || mayUnmute;
    if (this.mic) this.mic.muted = muted;
    this.#on.change();
  }

  /** Offers the same microphone again. */
  async mend() {
    if (this.mic) await this.#open(this.mic.stream);
  }

  /** Goes on with the microphone that is chosen now, if one is on. */
  async switch() {
    if (this.state !== "on" || !this.mic) return;
    await this.mic.replace(await Mic.permission(), () => this.#unplugged());
  }

  /** Measures how loud the user is. */
  async measure() {
    this.level = this.mic && !this.silent ? await this.mic.level() : 0;
  }

  close() {
    this.mic?.close();
    this.mic = undefined;
    this.level = 0;
    this.#is("off");
  }

  /**
   * @param {MediaStream} [again] a microphone that is already on
   * @param {boolean} [moved] whether its connection goes on for a moment
   */
  async #open(again, moved = false) {
    try {
      this.#is("asking");
      const stream = again ?? (await Mic.permission());
      if (moved) this.mic?.linger();
      else this.mic?.hangUp();
      const mic = (this.mic = new Mic(
        stream,
        (state) => this.mic === mic && state === "failed" && void this.mend(),
        () => this.#unplugged(),
      ));
      this.#is("connecting");
      await mic.open(async (sdp) => (await this.#ask({ type: "offer", media: "mic", sdp })).sdp);
      mic.muted = this.muted;
      this.#is("on");
      if (!again && this.muted && this.mayUnmute) await this.#mute(false);
    } catch (problem) {
      this.close();
      this.#on.problem(problem);
    }
  }

  /** @param {boolean} muted */
  async #mute(muted) {
    /** @type {{muted: boolean, answered: boolean}} */
    const asked = (this.#asked = { muted, answered: false });
    try {
      if (muted && this.mic) this.mic.muted = true;
      await this.#ask({ type: "mute", muted });
      asked.answered = true;
    } catch (problem) {
      if (this.mic) this.mic.muted = this.muted;
      this.#on.problem(problem);
    }
    const over = !asked.answered || this.muted === muted;
    if (over && this.#asked === asked) this.#asked = undefined;
  }

  #unplugged() {
    this.close();
    for (const request of [{ type: "hangup", media: "mic" }, { type: "mute", muted: true }]) {
      void this.#ask(request).catch(() => {}); // the server finds out by itself
    }
    this.#on.unplugged();
  }

  /** @param {MicState} state */
  #is(state) {
    this.state = state;
    this.#on.change();
  }
}
