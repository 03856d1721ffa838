/** How often a page looks again at what may have changed, in milliseconds. */
const every = 20_000;

/**
 * Looks again and again while an element is on the page, and when the visitor or the network comes back.
 * A tab that nobody sees asks for nothing.
 * @param {Element} element that is about to be shown
 * @param {() => Promise<unknown>} look
 */
export function lookAgain(element, look) {
  let busy = false;
  const again = async () => {
    // What a dialog was opened from stays, and gets the focus back.
    if (busy || !element.isConnected || document.visibilityState !== "visible" || document.querySelector("dialog[open]")) return;
    busy = true;
    await look().catch(() => {}); // what is shown stays
    busy = false;
  };
  const timer = setInterval(() => {
    if (element.isConnected) return void again();
    clearInterval(timer);
    document.removeEventListener("visibilitychange", again);
    removeEventListener("online", again);
  }, every);
  document.addEventListener("visibilitychange", again);
  addEventListener("online", again);
}
