/**
 * @typedef {object} Reading the connection over the last second
 * @property {number} loss share of packets that never came, from 0 to 1
 * @property {number} resent packets that were asked for again
 * @property {number} jitter milliseconds
 * @property {number} roundTrip milliseconds; NaN while it is not known
 * @property {number} buffer milliseconds that audio waits to be played
 * @property {number} down kbit/s received
 * @property {number} up kbit/s sent by the mic
 * @property {number} voices how many sections had audio
 * @property {string} cipher
 */

/** How many readings are kept: a minute's. */
const kept = 60;

/** Reads the statistics of the connection, once a second. */
export class Meter {
  /** @type {Reading[]} oldest first */
  readings = [];
  /** @type {Map<string, any>} */
  #before = new Map();

  /**
   * @param {RTCPeerConnection | undefined} ear
   * @param {RTCPeerConnection | undefined} mic
   * @returns {Promise<Reading>}
   */
  async read(ear, mic) {
    const heard = ear ? [...(await ear.getStats()).values()] : [];
    const sent = mic ? [...(await mic.getStats()).values()] : [];
    const inbound = heard.filter((r) => r.type === "inbound-rtp");
    const outbound = sent.filter((r) => r.type === "outbound-rtp");
    const pair = heard.find((r) => r.type === "candidate-pair" && r.nominated && r.state === "succeeded");
    const transport = heard.find((r) => r.type === "transport");
    const grown = (/** @type {any} */ report, /** @type {string} */ field) => this.#growth(report, field);
    const sum = (/** @type {any[]} */ reports, /** @type {string} */ field) => reports.reduce((n, r) => n + grown(r, field), 0);
    const got = sum(inbound, "packetsReceived");
    const lost = Math.max(0, sum(inbound, "packetsLost"));
    const waited = sum(inbound, "jitterBufferDelay");
    const played = sum(inbound, "jitterBufferEmittedCount");
    const active = inbound.filter((r) => grown(r, "packetsReceived") > 0);
    const reading = {
      loss: got + lost > 0 ? lost / (got + lost) : 0,
      resent: sum(inbound, "nackCount"),
      jitter: 1000 * Math.max(0, ...active.map((r) => r.jitter ?? 0)),
      roundTrip: 1000 * (pair?.currentRoundTripTime ?? NaN),
      buffer: played > 0 ? (1000 * waited) / played : 0,
      down: (8 * sum(inbound, "bytesReceived")) / 1000 / this.#seconds(inbound),
      up: (8 * sum(outbound, "bytesSent")) / 1000 / this.#seconds(outbound),
      voices: active.length,
      cipher: transport?.srtpCipher ?? "",
    };
    this.#before = new Map([...heard, ...sent].map((r) => [this.#key(r), r]));
    this.readings.push(reading);
    if (this.readings.length > kept) this.readings.shift();
    return reading;
  }

  /** @param {any} report */
  #key(report) {
    return `${report.ssrc ?? ""} ${report.id}`;
  }

  /**
   * How much a counter has grown since the last reading.
   * @param {any} report
   * @param {string} field
   * @returns {number}
   */
  #growth(report, field) {
    return (report[field] ?? 0) - (this.#before.get(this.#key(report))?.[field] ?? 0);
  }

  /** @param {any[]} reports */
  #seconds(reports) {
    const report = reports[0];
    const before = report && this.#before.get(this.#key(report));
    return before ? Math.max(0.1, (report.timestamp - before.timestamp) / 1000) : 1;
  }
}
