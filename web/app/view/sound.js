import { h, say } from "../dom.js";
import { t } from "../language.js";
import { Loudness } from "../loudness.js";
import { Mic } from "../mic.js";
import { refusalOf } from "../types.js";
import * as vault from "../vault.js";
import { ending } from "../words.js";
import { dialog } from "./dialog.js";
import { icon } from "./icon.js";

/** How often the level is shown, in milliseconds. */
const levelEvery = 80;

/**
 * Lets the user choose microphone, speakers and volume, and try them.
 * @param {import("../call.js").Call} call
 */
export function soundSettings(call) {
  const problem = h("p", { class: "problem", role: "alert" });
  const mic = h("select", { id: "sound-mic", onchange: () => void change({ mic: mic.value }) });
  const level = h("meter", { min: 0, max: 1, low: 0.05, optimum: 0.5, "aria-label": t("sound.level") });
  const test = h("button", { type: "button", class: "small", "aria-pressed": "false", onclick: () => (tester ? stop() : void start()) }, icon("mic"), t("sound.test"));
  const echo = h("input", { id: "sound-echo", type: "checkbox", onchange: () => void change({ echo: echo.checked }) });
  const speaker = h("select", { id: "sound-speaker", onchange: () => void change({ speaker: speaker.value }) });
  const volume = h("input", { id: "sound-volume", type: "range", min: 0, max: 100, step: 5, oninput: () => void change({ volume: Number(volume.value) / 100 }) });
  const play = h("button", { type: "button", class: "small", onclick: () => void beep(call) }, icon("ear"), t("sound.play"));
  const picks = "setSinkId" in HTMLMediaElement.prototype;
  /** The microphone while it is tried. @type {{stream: MediaStream, stop: () => void} | undefined} */
  let tester;

  const chosen = vault.sound.get();
  echo.checked = chosen.echo;
  volume.value = String(Math.round(chosen.volume * 100));

  /** @param {Partial<import("../vault.js").Sound>} some */
  async function change(some) {
    vault.sound.set({ ...vault.sound.get(), ...some });
    say(problem, "");
    try {
      call.hearing.tune();
      if ("mic" in some || "echo" in some) {
        await call.speaking.switch();
        if (tester) await start();
      }
    } catch (e) {
      complain(e);
    }
  }

  async function start() {
    stop();
    say(problem, "");
    try {
      const stream = await Mic.permission();
      tester = { stream, stop: meter(stream, level) };
      test.setAttribute("aria-pressed", "true");
      await list(); // now that it may, the browser says what they are called
    } catch (e) {
      complain(e);
    }
  }

  function stop() {
    tester?.stop();
    for (const track of tester?.stream.getTracks() ?? []) track.stop();
    tester = undefined;
    level.value = 0;
    test.setAttribute("aria-pressed", "false");
  }

  /** @param {unknown} e */
  function complain(e) {
    const { code, message } = refusalOf(e);
    say(problem, ending(code, message).text);
  }

  async function list() {
    const devices = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    const { mic: now, speaker: out } = vault.sound.get();
    fill(mic, devices.filter((d) => d.kind === "audioinput"), now, "sound.mic.n");
    fill(speaker, devices.filter((d) => d.kind === "audiooutput"), out, "sound.speakers.n");
  }

  dialog(
    t("sound.title"),
    h("label", { for: "sound-mic" }, t("sound.mic")),
    mic,
    h("div", { class: "sound-test" }, test, level),
    h("div", { class: "check" }, echo, h("label", { for: "sound-echo" }, t("sound.echo"))),
    picks && h("label", { for: "sound-speaker" }, t("sound.speakers")),
    picks && speaker,
    h("label", { for: "sound-volume" }, t("sound.volume")),
    volume,
    h("div", {}, play),
    problem,
  ).addEventListener("close", () => {
    stop();
    navigator.mediaDevices?.removeEventListener("devicechange", list);
  });
  navigator.mediaDevices?.addEventListener("devicechange", list);
  void list();
}

/**
 * @param {HTMLSelectElement} select
 * @param {MediaDeviceInfo[]} devices
 * @param {string} chosen
 * @param {import("../language.js").Key} nameless what one is called that has no name
 */
function fill(select, devices, chosen, nameless) {
  const known = devices.filter((d) => d.deviceId && d.deviceId !== "default");
  select.replaceChildren(
    h("option", { value: "" }, t("sound.default")),
    ...known.map((d, i) => h("option", { value: d.deviceId }, d.label || t(nameless, { n: i + 1 }))),
  );
  select.value = known.some((d) => d.deviceId === chosen) ? chosen : "";
}

/**
 * Shows how loud a microphone is.
 * @param {MediaStream} stream
 * @param {HTMLMeterElement} level
 * @returns {() => void} ends it
 */
function meter(stream, level) {
  const loudness = new Loudness(stream);
  const timer = setInterval(() => {
    level.value = Math.min(1, 3 * loudness.read());
  }, levelEvery);
  return () => {
    clearInterval(timer);
    loudness.close();
  };
}

/**
 * Plays a short tone where the room is played, as loud.
 * @param {import("../call.js").Call} call
 */
async function beep(call) {
  const context = new AudioContext();
  const tone = new OscillatorNode(context, { frequency: 660 });
  const fade = new GainNode(context, { gain: 0.25 });
  const out = context.createMediaStreamDestination();
  tone.connect(fade).connect(out);
  const player = new Audio();
  player.srcObject = out.stream;
  await call.hearing.tunePlayer(player);
  fade.gain.setTargetAtTime(0, context.currentTime + 0.35, 0.08);
  tone.start();
  await player.play().catch(() => {});
  setTimeout(() => void context.close(), 900);
}
