import { fragmentOf, restarted } from "./icerestart.js";
import { Refusal } from "./types.js";

/**
 * The ear: a receive-only connection with a section for each voice that the
 * room passes on. It is opened once, and its sections are never negotiated again; if
 * its network path fails, it restarts ICE, and if that is no use a new ear replaces it.
 */
export class Ear {
  /** @type {RTCPeerConnection} */
  connection;
  /** @type {HTMLAudioElement[]} */
  #players = [];
  #onBlocked;
  /** @type {(player: HTMLAudioElement) => void} */
  #tune = () => {};

  /**
   * @param {number} slots how many voices to hear at once
   * @param {(state: RTCPeerConnectionState) => void} onState
   * @param {() => void} onBlocked the browser wants a tap before it plays
   */
  constructor(slots, onState, onBlocked) {
    this.#onBlocked = onBlocked;
    const connection = (this.connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" }));
    connection.onconnectionstatechange = () => onState(connection.connectionState);
    connection.ontrack = ({ track }) => this.#play(track);
    for (let i = 0; i < slots; i++) connection.addTransceiver("audio", { direction: "recvonly" });
  }

  /**
   * Connects.
   * @param {(offer: string) => Promise<string>} exchange takes an offer, gives the answer
   */
  async open(exchange) {
    const offer = await this.connection.createOffer();
    const sdp = withNack(offer.sdp ?? "");
    await this.connection.setLocalDescription({ type: "offer", sdp });
    const answer = await exchange(sdp);
    await this.connection.setRemoteDescription({ type: "answer", sdp: answer });
    if (this.connection.signalingState === "closed") throw new Refusal("closed");
  }

  /**
   * Restarts ICE (RFC 8445 section 9), for a network that has changed. The connection is the
   * same, and what is heard goes on.
   * @param {(fragment: string) => Promise<string>} exchange takes an SDP fragment, gives the server's
   */
  async restart(exchange) {
    const offer = await this.connection.createOffer({ iceRestart: true });
    const sdp = withNack(offer.sdp ?? "");
    await this.connection.setLocalDescription({ type: "offer", sdp });
    const fragment = await exchange(fragmentOf(sdp));
    const answer = restarted(this.connection.remoteDescription?.sdp ?? "", fragment);
    await this.connection.setRemoteDescription({ type: "answer", sdp: answer });
  }

  /** Plays. Call it from a tap if the browser asked for one. */
  async resume() {
    await Promise.all(this.#players.map((player) => player.play()));
  }

  /**
   * Changes how it plays.
   * @param {(player: HTMLAudioElement) => void} change
   */
  tune(change) {
    this.#tune = change;
    this.#players.forEach(change);
  }

  close() {
    this.connection.onconnectionstatechange = null;
    this.connection.close();
    for (const player of this.#players) {
      player.srcObject = null;
      player.remove();
    }
    this.#players = [];
  }

  /** @param {MediaStreamTrack} track */
  #play(track) {
    // One element per voice: not every browser plays several tracks of an element.
    const player = document.createElement("audio");
    player.srcObject = new MediaStream([track]);
    player.hidden = true;
    document.body.append(player);
    this.#players.push(player);
    this.#tune(player);
    player.play().catch((problem) => {
      if (problem.name === "NotAllowedError") this.#onBlocked();
    });
  }
}

/**
 * Adds to each section of an offer that lost Opus packets are asked for again
 * (RFC 4585 section 4.2); browsers do so only if the offer says it.
 * @param {string} sdp
 */
export function withNack(sdp) {
  const opus = new Set([...sdp.matchAll(/^a=rtpmap:(\d+) opus\/48000/gim)].map((m) => m[1]));
  const asked = new Set();
  return sdp
    .split("\r\n")
    .flatMap((line) => {
      if (line.startsWith("m=")) asked.clear();
      const format = line.match(/^a=rtpmap:(\d+) /)?.[1];
      if (!format || !opus.has(format) || asked.has(format)) return [line];
      asked.add(format);
      return [line, `a=rtcp-fb:${format} nack`];
    })
    .join("\r\n");
}

/**
 * Whether all of a description's candidates are on the loopback, with which Firefox connects to nothing.
 * @param {string} sdp
 */
export function onlyLoopback(sdp) {
  const addresses = [...sdp.matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+) /gm)].map((m) => m[1] ?? "");
  return addresses.length > 0 && addresses.every((a) => a.startsWith("127.") || a === "::1");
}
