import { Ear } from "./ear.js";
import { refusalOf } from "./types.js";
import * as vault from "./vault.js";

/** @typedef {"off" | "connecting" | "connected" | "blocked"} EarState */

/** How long an ear may take to connect, and to come back by itself, in milliseconds. */
const patience = 10_000;
const recovery = 4_000;

/** Keeps an ear open: replaces an ear that fails or never connects. */
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

  #exchange;
  #on;
  #timer = 0;

  /**
   * @param {(offer: string) => Promise<string>} exchange
   * @param {{change: () => void, problem: (e: unknown) => void}} on
   */
  constructor(exchange, on) {
    this.#exchange = exchange;
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
    this.ear?.close();
    clearTimeout(this.#timer);
    if (this.state !== "blocked") this.state = "connecting";
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
      this.open(slots);
    }, patience);
    ear.open(this.#exchange).catch((problem) => {
      // A server that is gone is the call's to care for.
      if (this.ear === ear && refusalOf(problem).code !== "unreachable") this.#on.problem(problem);
    });
    this.#on.change();
  }

  /** Opens another ear if the current one is lost. @param {number} slots */
  mend(slots) {
    if (this.connection?.connectionState !== "connected") this.open(slots);
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
      this.state = "connected";
    } else if (state === "failed" || state === "disconnected") {
      clearTimeout(this.#timer);
      if (this.state !== "blocked") this.state = "connecting";
      this.#timer = setTimeout(() => this.open(slots), state === "failed" ? 0 : recovery);
    }
    this.#on.change();
  }
}
