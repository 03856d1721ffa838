/**
 * @typedef {Node | string | null | undefined | false} Child
 * @typedef {{[name: string]: string | number | boolean | null | undefined | ((event: any) => void)}} Props
 */

/**
 * Makes an element. A function is a listener for the event it is named after
 * ("onclick"), true an attribute without a value; null, undefined and false are
 * no attribute.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  apply(element, props);
  element.append(...children.filter((c) => c || c === "").map((c) => /** @type {Node | string} */ (c)));
  return element;
}

/**
 * Makes an SVG element.
 * @param {string} tag
 * @param {Props} [props]
 * @param {...SVGElement} children
 */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  apply(element, props);
  element.append(...children);
  return element;
}

/**
 * @param {Element} element
 * @param {Props} props
 */
export function apply(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * Sets a text if it differs: a screen reader reads every text that is set.
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Brings the children of a list into line with items, keeping the elements (and
 * with them the focus) of those that stay.
 * @template T
 * @param {Element} list
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => HTMLElement} make
 * @param {(element: HTMLElement, item: T) => void} update
 */
export function reconcile(list, items, key, make, update) {
  const present = new Map([...list.children].map((c) => [/** @type {HTMLElement} */ (c).dataset["key"], /** @type {HTMLElement} */ (c)]));
  items.forEach((item, i) => {
    let element = present.get(key(item));
    if (element) present.delete(key(item));
    else {
      element = make(item);
      element.dataset["key"] = key(item);
    }
    if (list.children[i] !== element) list.insertBefore(element, list.children[i] ?? null);
    update(element, item);
  });
  for (const element of present.values()) element.remove();
}
