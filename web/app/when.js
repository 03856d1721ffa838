/** The name of the visitor's time zone, such as "Europe/Berlin". */
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/**
 * What a field of type datetime-local says, with its offset from UTC at that time (RFC 3339);
 * "" if it says nothing. An hour that the clocks skip is the one after it.
 * @param {string} local "2026-12-04T20:00"
 */
export function withOffset(local) {
  const at = new Date(local);
  return Number.isNaN(at.valueOf()) ? "" : `${localOf(at)}:00${offset(-at.getTimezoneOffset())}`;
}

/**
 * What such a field takes.
 * @param {Date} at
 */
export function localOf(at) {
  return new Date(at.valueOf() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The next full hour but one: when a room may be planned for. */
export function soon() {
  const at = new Date(Date.now() + 3_600_000);
  at.setMinutes(0, 0, 0);
  return new Date(at.valueOf() + 3_600_000);
}

/** @param {number} minutes east of UTC */
function offset(minutes) {
  const two = (/** @type {number} */ n) => String(Math.trunc(n)).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(size / 60)}:${two(size % 60)}`;
}
