import { apply, h, say } from "../dom.js";
import { Followed } from "../followed.js";
import { t } from "../language.js";
import { Meter } from "../meter.js";
import { audience } from "./audience.js";
import { banner } from "./banner.js";
import { Lockscreen } from "../lockscreen.js";
import { bar, toggleMic } from "./bar.js";
import { connection } from "./connection.js";
import { hands } from "./hands.js";
import { icon, mark } from "./icon.js";
import { languagePicker } from "./language.js";
import { endRoom, isOnlyHost, leaveRoom } from "./leave.js";
import { listenerMenu, memberMenu } from "./member.js";
import { people } from "./people.js";
import { rules } from "./rules.js";
import { roomInvite } from "./share.js";
import { soundSettings } from "./sound.js";
import { stage } from "./stage.js";

/** @typedef {import("../call.js").Call} Call */

/**
 * The room from inside.
 * @param {Call} call
 * @param {{title: string, open: boolean}} about open: no invite is needed
 * @param {() => void} spoken another language is picked
 * @param {Meter} [meter] what is known of the connection
 */
export function room(call, { title, open }, spoken, meter = new Meter()) {
  const obstacle = banner(call);
  const followed = new Followed();
  const known = () => {
    faces.update();
    crowd.update();
  };
  /** @param {import("../types.js").StageMember} member */
  const pick = (member) => memberMenu(call, member, followed, known);
  /** @param {import("../types.js").AudienceMember} member */
  const pickListener = (member) => listenerMenu(call, member, followed, known);
  const faces = stage(call, followed, pick);
  const crowd = audience(call, followed, { pick: pickListener, search: () => people(call, { stage: pick, audience: pickListener }) });
  void followed.load().then(known);
  const queue = hands(call);
  const law = rules(call);
  const link = connection(call);

  const counts = h("p", { class: "quiet room-counts" });
  const signal = h("button", { type: "button", class: "round ghost signal", "aria-controls": "connection", onclick: () => toggle("connection") }, icon("signal"));
  const share = () => roomInvite(call.roster.room, open);
  const panels = {
    hands: panel("hands", t("hands.title"), queue.element, law.element),
    connection: panel("connection", t("connection.title"), link.element, h("button", { type: "button", class: "sound-button", onclick: () => soundSettings(call) }, icon("mic"), t("sound.open")), languagePicker(spoken)),
  };
  const side = h("aside", { class: "side", "aria-label": t("room.details") }, panels.hands, panels.connection);
  const tools = bar(call, { leave: () => leaveRoom(call), share, hands: () => toggle("hands"), end: () => endRoom(call) }, open);
  const element = h(
    "main",
    { class: "room" },
    h(
      "header",
      { class: "room-head" },
      mark(),
      h("div", { class: "room-title" }, h("h1", {}, h("span", { dir: "auto" }, title)), counts),
      signal,
    ),
    h("div", { class: "room-body" }, obstacle.element, faces.element, crowd.element),
    side,
    tools.element,
  );

  const outside = new Lockscreen(call, title, { mic: () => toggleMic(call), leave: () => leaveRoom(call) });
  document.addEventListener("keydown", shortcut);
  addEventListener("beforeunload", stay);

  /** Has the browser ask the only host before it closes the page. @param {Event} event */
  function stay(event) {
    if (isOnlyHost(call)) event.preventDefault();
  }

  /** M turns the microphone on and off, wherever one does not write. @param {KeyboardEvent} event */
  function shortcut(event) {
    const writing = event.target instanceof Element && event.target.closest("input, select, textarea, dialog");
    if (writing || event.repeat || event.ctrlKey || event.metaKey || event.altKey || !isM(event)) return;
    toggleMic(call);
  }

  /** @param {keyof typeof panels} name */
  function toggle(name) {
    const other = name === "hands" ? panels.connection : panels.hands;
    const inside = panels[name].contains(document.activeElement);
    panels[name].hidden = !panels[name].hidden;
    if (!wide.matches) other.hidden = true;
    update();
    // What is closed gives the focus back.
    if (inside) /** @type {HTMLElement | null} */ (element.querySelector(`[aria-controls="${name}"]`))?.focus();
  }

  /**
   * @param {"hands" | "connection"} id
   * @param {string} heading
   * @param {...import("../dom.js").Child} content
   */
  function panel(id, heading, ...content) {
    const close = h("button", { type: "button", class: "round ghost", "aria-label": t("action.close.what", { what: heading }), onclick: () => toggle(id) }, icon("close"));
    return h("section", { id, class: "panel card", hidden: true, "aria-labelledby": `${id}-title` }, h("div", { class: "panel-head" }, h("h2", { id: `${id}-title` }, heading), close), ...content);
  }

  function update() {
    const { roster } = call;
    say(counts, t("room.counts", { stage: roster.stage.length, listeners: t("listeners", { n: roster.listeners }) }));
    if (!roster.onStage) panels.hands.hidden = true;
    signal.setAttribute("aria-expanded", String(!panels.connection.hidden));
    const trouble = call.state !== "live" || call.hearing.state !== "connected";
    signal.classList.toggle("trouble", trouble);
    const label = t(trouble ? "connection.trouble" : "connection.title");
    apply(signal, { "aria-label": label, title: label });
    side.hidden = panels.hands.hidden && panels.connection.hidden;
    for (const part of [obstacle, faces, crowd, queue, law, link]) part.update();
    tools.update(!panels.hands.hidden);
    outside.update();
  }

  const reading = setInterval(async () => {
    if (!call.hearing.connection) return;
    await meter.read(call.hearing.connection, call.speaking.connection);
    if (!panels.connection.hidden) link.readings(meter.readings);
  }, 1000);

  return {
    element,
    meter,
    update,
    levels: faces.levels,
    /** Opens the panel with the language picker, and goes there. */
    showLanguage() {
      toggle("connection");
      document.getElementById("language")?.focus();
    },
    /** Stops the view's timers and listeners. */
    close() {
      clearInterval(reading);
      crowd.close();
      outside.close();
      document.removeEventListener("keydown", shortcut);
      removeEventListener("beforeunload", stay);
    },
  };
}

/** Whether the key is M: by its letter, or by its place where the layout has no Latin letters. @param {KeyboardEvent} event */
const isM = ({ key, code }) => key.toLowerCase() === "m" || (code === "KeyM" && !/^[a-z]$/i.test(key));

/** Whether there is place for both panels beside the stage. */
const wide = matchMedia("(min-width: 60rem)");
