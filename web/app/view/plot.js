import { apply, svg } from "../dom.js";

const width = 240;
const height = 56;

/**
 * A small line plot of the last minute. There is text with the same figures beside it.
 * @param {string} label
 */
export function plot(label) {
  const area = svg("path", { class: "plot-area" });
  const line = svg("path", { class: "plot-line" });
  const element = svg(
    "svg",
    { class: "plot", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("path", { class: "plot-floor", d: `M0 ${height - 0.5}H${width}` }),
    area,
    line,
  );
  return {
    element,
    /**
     * @param {number[]} values oldest first
     * @param {number} kept how many there can be
     * @param {number} least the top of the scale is at least this
     */
    update(values, kept, least) {
      const top = Math.max(least, ...values) * 1.1;
      const x = (/** @type {number} */ i) => (width * (i + kept - values.length)) / (kept - 1);
      const y = (/** @type {number} */ v) => height - 1 - (v / top) * (height - 4);
      const points = values.map((v, i) => `${x(i).toFixed(1)} ${y(v).toFixed(1)}`);
      const path = points.length > 1 ? `M${points.join("L")}` : "";
      apply(line, { d: path });
      apply(area, { d: path && `${path}V${height}H${x(0).toFixed(1)}Z` });
    },
  };
}
