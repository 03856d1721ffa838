/** How long after its last packet a voice counts as talking, in milliseconds. */
const fresh = 400;
/** The level above which a voice talks, from 0 to 1: about -50 dBov. */
const audible = 0.003;

/**
 * Who talks and how loud, from the audio itself: the CSRC of a packet names its
 * voice, its loudness extension says how loud (RFC 6464). What signaling says
 * about talkers plays no part: what lights up is what can be heard.
 * @param {RTCPeerConnection} connection an ear's
 * @returns {Map<number, number>} a level from 0 to 1 by voice
 */
export function listen(connection) {
  /** @type {Map<number, number>} */
  const voices = new Map();
  const now = performance.timeOrigin + performance.now();
  for (const receiver of connection.getReceivers()) {
    const own = receiver.getSynchronizationSources()[0]?.audioLevel ?? 0;
    for (const source of receiver.getContributingSources()) {
      if (now - source.timestamp > fresh) continue;
      const level = source.audioLevel ?? own;
      voices.set(source.source, Math.max(level, voices.get(source.source) ?? 0));
    }
  }
  return voices;
}

/**
 * Whether a level is that of somebody talking.
 * @param {number} level
 */
export function talks(level) {
  return level > audible;
}

/**
 * How far a ring reaches for a level: loudness as the ear takes it, from 0 for
 * silence to 1 for full scale.
 * @param {number} level from 0 to 1
 */
export function reach(level) {
  if (level <= 0) return 0;
  return Math.max(0, Math.min(1, 1 + (20 * Math.log10(level)) / 50));
}
