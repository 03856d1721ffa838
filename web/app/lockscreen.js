import { list } from "./language.js";
/** @typedef {import("./call.js").Call} Call */

/**
 * The room on the device: what its lock screen and its media keys show and do, and
 * that the screen stays on for people on stage.
 */
export class Lockscreen {
  #call;
  #title;
  /** @type {WakeLockSentinel | undefined} */
  #lock;
  #asking = false;
  #closed = false;

  /**
   * @param {Call} call
   * @param {string} title of the room
   * @param {{mic: () => void, leave: () => void}} on what its keys do
   */
  constructor(call, title, on) {
    this.#call = call;
    this.#title = title;
    document.addEventListener("visibilitychange", this.#awake);
    this.#handle("togglemicrophone", on.mic);
    this.#handle("hangup", on.leave);
    this.update();
  }

  update() {
    void this.#awake();
    const { mediaSession } = navigator;
    if (!mediaSession || this.#closed) return;
    const { stage, onStage } = this.#call.roster;
    const artist = list(stage.slice(0, 3).map((m) => m.name));
    if (mediaSession.metadata?.title !== this.#title || mediaSession.metadata.artist !== artist) {
      mediaSession.metadata = new MediaMetadata({ title: this.#title, artist, album: "earshot", artwork: [{ src: "/app/icon.svg", sizes: "any", type: "image/svg+xml" }] });
    }
    mediaSession.playbackState = this.#call.state === "live" ? "playing" : "paused";
    if (onStage) void mediaSession.setMicrophoneActive?.(!this.#call.speaking.silent);
  }

  close() {
    this.#closed = true;
    document.removeEventListener("visibilitychange", this.#awake);
    void this.#lock?.release();
    this.#handle("togglemicrophone", null);
    this.#handle("hangup", null);
    if (navigator.mediaSession) {
      navigator.mediaSession.metadata = null;
      navigator.mediaSession.playbackState = "none";
    }
  }

  /** Keeps the screen on while the user is on stage. A browser ends it when the page is hidden. */
  #awake = async () => {
    const wanted = !this.#closed && this.#call.roster.onStage && document.visibilityState === "visible";
    if (!wanted) {
      await this.#lock?.release();
      this.#lock = undefined;
      return;
    }
    if (this.#asking || !navigator.wakeLock || (this.#lock && !this.#lock.released)) return;
    this.#asking = true;
    try {
      this.#lock = await navigator.wakeLock.request("screen");
      if (this.#closed) await this.#lock.release();
    } catch {
      // The battery is low, or the browser does not want to: then the screen goes dark.
    } finally {
      this.#asking = false;
    }
  };

  /**
   * @param {string} action
   * @param {(() => void) | null} act
   */
  #handle(action, act) {
    try {
      navigator.mediaSession?.setActionHandler(/** @type {any} */ (action), act);
    } catch {
      // The browser does not know this action.
    }
  }
}
