import { Ear, onlyLoopback } from "./ear.js";
import { refusalOf } from "./types.js";
import * as vault from "./vault.js";

/** @typedef {import("./speaking.js").Ask} Ask */
/** @typedef {"off" | "connecting" | "connected" | "blocked"} EarState */

/** How long an ear may take to connect, and to come back by itself, in milliseconds. */
const patience = 10_000;
const recovery = 4_000;
/** How long an ear that cannot connect waits before the next is tried, in milliseconds. */
const pause = 1_000;
/** How long an ear where the room is now may be silent before the one where it was is closed, in milliseconds. */
const heardWithin = 2_000;

/** Keeps an ear open: has an ear that is lost restart ICE, and replaces one that stays lost or never connects. */
export class Hearing {
  /** @type {Ear | undefined} */
  ear;
  /**
   * "blocked": nothing has come through for as long as an ear may take. It goes
   * on trying.
   * @type {EarState}
   */
  state = "off";
  /** The browser wants a tap before it plays. */
  needsTap = false;
  /** The server's audio has no address but the loopback's, and the browser does not try that. */
  untried = false;

  #ask;
  #on;
  #timer = 0;
  #loopback = false;
  /** @type {Ear | undefined} the ear that has been connected */
  #known;
  /** @type {Ear | undefined} the ear that plays on until the current one is connected */
  #leaving;
  /** Whether it does so because the whole room moves. */
  #roomMoves = false;
  /** @type {Ear | undefined} the ear whose restart is not answered yet */
  #restarting;

  /**
   * @param {Ask} ask
   * @param {{change: () => void, problem: (e: unknown) => void}} on
   */
  constructor(ask, on) {
    this.#ask = ask;
    this.#on = on;
  }

  get connection() {
    return this.ear?.connection;
  }

  /**
   * Opens an ear that replaces the current one.
   * @param {number} slots
   */
  open(slots) {
    this.#stopLeaving();
    this.ear?.close();
    if (this.state !== "blocked") this.state = "connecting";
    this.#begin(slots);
  }

  /**
   * Opens an ear elsewhere, because the server that has the current one will stop. That one plays on
   * until the other is connected.
   * @param {number} slots
   * @param {boolean} [room] whether the whole room moves: then until somebody is heard by the other
   */
  move(slots, room = false) {
    if (this.state !== "connected") {
      this.open(slots);
      return;
    }
    this.#stopLeaving();
    this.#leaving = this.ear;
    this.#roomMoves = room;
    this.#begin(slots);
  }

  /** Stops the ear that plays on when the current one has audio, or none for a while. */
  #stopLeavingWhenHeard() {
    const leaving = this.#leaving;
    const stop = () => void (this.#leaving === leaving && this.#stopLeaving());
    setTimeout(stop, heardWithin);
    for (const { track } of this.connection?.getReceivers() ?? []) {
      track.addEventListener("unmute", stop, { once: true });
      if (!track.muted) stop();
    }
  }

  #stopLeaving() {
    this.#leaving?.close();
    this.#leaving = undefined;
  }

  /** @param {number} slots */
  #begin(slots) {
    clearTimeout(this.#timer);
    const ear = (this.ear = new Ear(
      slots,
      (state) => this.ear === ear && this.#is(state, slots),
      () => {
        this.needsTap = true;
        this.#on.change();
      },
    ));
    this.tune();
    this.#timer = setTimeout(() => {
      this.state = "blocked";
      this.untried = false;
      this.open(slots);
    }, patience);
    const exchange = async (/** @type {string} */ sdp) => {
      const answer = await this.#ask({ type: "offer", media: "ear", sdp });
      this.#loopback = onlyLoopback(answer.sdp);
      return answer.sdp;
    };
    ear.open(exchange).catch((problem) => {
      // A server that is gone is the call's to care for.
      if (this.ear === ear && refusalOf(problem).code !== "unreachable") this.#on.problem(problem);
    });
    this.#on.change();
  }

  /** Has the current ear restart ICE if it is lost, or opens another. @param {number} slots */
  mend(slots) {
    const state = this.connection?.connectionState ?? "";
    if (["disconnected", "failed"].includes(state)) void this.#restart(slots);
    else if (state !== "connected") this.open(slots);
  }

  /** The network has changed: the ear restarts ICE, before it is lost. @param {number} slots */
  async changed(slots) {
    if (this.connection?.connectionState === "connected") await this.#restart(slots);
  }

  /**
   * Restarts ICE of the current ear, and opens another if the server does not, or if it is
   * lost and does not come back.
   * @param {number} slots
   */
  async #restart(slots) {
    const ear = this.ear;
    if (!ear || this.#restarting === ear) return;
    this.#restarting = ear;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (ear.connection.connectionState !== "connected") this.open(slots);
    }, recovery);
    try {
      await ear.restart(async (fragment) => (await this.#ask({ type: "restart-ice", media: "ear", fragment })).fragment);
    } catch (problem) {
      // A server that is gone is the call's to care for.
      if (this.ear === ear && refusalOf(problem).code !== "unreachable") this.open(slots);
    } finally {
      if (this.#restarting === ear) this.#restarting = undefined;
    }
  }

  /** Plays after the browser refused to. Call it from a tap. */
  async resume() {
    await this.ear?.resume();
    this.needsTap = false;
  }

  /** Plays where and as loud as the user has chosen. */
  tune() {
    this.ear?.tune((player) => void this.tunePlayer(player));
  }

  /**
   * Has something play where and as loud as the user has chosen.
   * @param {HTMLAudioElement} player
   */
  async tunePlayer(player) {
    const { speaker, volume } = vault.sound.get();
    player.volume = volume;
    // Speakers that are unplugged are replaced by the system's.
    if (player.setSinkId && player.sinkId !== speaker) await player.setSinkId(speaker).catch(() => {});
  }

  close() {
    clearTimeout(this.#timer);
    this.#stopLeaving();
    this.ear?.close();
    this.ear = undefined;
    this.state = "off";
    this.needsTap = false;
  }

  /**
   * @param {RTCPeerConnectionState} state
   * @param {number} slots
   */
  #is(state, slots) {
    if (state === "connected") {
      clearTimeout(this.#timer);
      if (this.#roomMoves) this.#stopLeavingWhenHeard();
      else this.#stopLeaving();
      this.#roomMoves = false;
      this.#known = this.ear;
      this.state = "connected";
    } else if (state === "failed" || state === "disconnected") {
      clearTimeout(this.#timer);
      const lost = this.#known === this.ear;
      if (state === "failed" && !lost) {
        this.state = "blocked"; // Firefox gives up before patience ends
        this.untried = this.#loopback;
      } else if (this.state !== "blocked") this.state = "connecting";
      if (lost) void this.#restart(slots);
      else this.#timer = setTimeout(() => this.open(slots), state === "failed" ? pause : recovery);
    }
    this.#on.change();
  }
}
