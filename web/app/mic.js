import { Loudness } from "./loudness.js";
import { Refusal } from "./types.js";
import * as vault from "./vault.js";

/** For how long a mic goes on beside the one that replaces it, in milliseconds: as long as a room that has moved plays on. */
const lingering = 3_000;

/** The microphone and the send-only connection that carries it. */
export class Mic {
  /** @type {RTCPeerConnection} */
  connection;
  stream;
  /** @type {Loudness | undefined} */
  #loudness;

  /**
   * @param {MediaStream} stream
   * @param {(state: RTCPeerConnectionState) => void} onState
   * @param {() => void} onUnplugged the microphone is gone
   */
  constructor(stream, onState, onUnplugged) {
    this.stream = stream;
    const connection = (this.connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" }));
    connection.onconnectionstatechange = () => onState(connection.connectionState);
    for (const track of stream.getAudioTracks()) {
      track.onended = onUnplugged;
      connection.addTransceiver(track, { direction: "sendonly", streams: [stream] });
    }
  }

  /**
   * Asks the person for the microphone that they have chosen.
   * @returns {Promise<MediaStream>}
   */
  static async permission() {
    if (!window.isSecureContext || !navigator.mediaDevices) throw new Refusal("insecure");
    const { mic, echo } = vault.sound.get();
    return navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: echo, noiseSuppression: echo, autoGainControl: true, channelCount: 1, ...(mic && { deviceId: { ideal: mic } }) },
    });
  }

  /**
   * Goes on with another microphone, over the same connection.
   * @param {MediaStream} stream
   * @param {() => void} onUnplugged
   */
  async replace(stream, onUnplugged) {
    const [track] = stream.getAudioTracks();
    const [before] = this.stream.getAudioTracks();
    if (!track) return;
    track.enabled = before?.enabled ?? true;
    await this.connection.getSenders()[0]?.replaceTrack(track);
    for (const old of this.stream.getTracks()) {
      old.onended = null;
      old.stop();
    }
    track.onended = onUnplugged;
    this.stream = stream;
    this.#unmeasure();
  }

  /** @param {(offer: string) => Promise<string>} exchange takes an offer, gives the answer */
  async open(exchange) {
    await this.connection.setLocalDescription();
    const answer = await exchange(this.connection.localDescription?.sdp ?? "");
    await this.connection.setRemoteDescription({ type: "answer", sdp: answer });
  }

  /**
   * Silences the microphone at its source. The server does so, too; this spares
   * sending what nobody is to hear.
   * @param {boolean} muted
   */
  set muted(muted) {
    for (const track of this.stream.getAudioTracks()) track.enabled = !muted;
  }

  /** How loud the user is, from 0 to 1. */
  async level() {
    if (!this.#loudness) {
      for (const report of (await this.connection.getStats()).values()) {
        if (report.type === "media-source" && report.audioLevel !== undefined) return report.audioLevel;
      }
      if (this.connection.signalingState === "closed") return 0;
      this.#loudness = new Loudness(this.stream); // Firefox's statistics have no level
    }
    return this.#loudness.read();
  }

  #unmeasure() {
    this.#loudness?.close();
    this.#loudness = undefined;
  }

  /** Ends the connection when all have moved to where another one is, and leaves the microphone on. */
  linger() {
    this.connection.onconnectionstatechange = null;
    this.#unmeasure();
    setTimeout(() => this.connection.close(), lingering);
  }

  /** Ends the connection and leaves the microphone on. */
  hangUp() {
    this.connection.onconnectionstatechange = null;
    this.connection.close();
    this.#unmeasure();
  }

  close() {
    this.hangUp();
    for (const track of this.stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
  }
}
