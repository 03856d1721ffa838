import * as api from "../api.js";
import { h, say } from "../dom.js";
import * as keyring from "../keyring.js";
import { t } from "../language.js";
import { square } from "../picture.js";
import { refusalOf } from "../types.js";
import * as vault from "../vault.js";
import { ending } from "../words.js";
import { avatar } from "./avatar.js";
import { dialog } from "./dialog.js";
import { nameField } from "./field.js";
import { icon } from "./icon.js";

/** @typedef {import("../api.js").Profile} Profile */

/** Whether the user has an account, and with it a profile to edit and people to follow. */
export const isMember = () => vault.identity.get()?.kind === "member";

/**
 * What somebody shows of themselves, and a button to follow them. It fills itself.
 * @param {string | undefined} profile its id; undefined: they show nothing
 * @param {string} room in which the user sees them
 * @param {import("../followed.js").Followed} followed
 * @param {() => void} change what is shown of whom the user follows
 */
export function profileNote(profile, room, followed, change) {
  const about = h("p", { class: "about" });
  const button = h("button", { type: "button", class: "small", hidden: true });
  const element = h("div", { class: "profile-note", hidden: true }, about, button);
  let following = false;
  const show = () => {
    button.setAttribute("aria-pressed", String(following));
    button.replaceChildren(icon("star"), t(following ? "profile.following" : "profile.follow"));
  };
  button.addEventListener("click", async () => {
    if (!profile) return;
    try {
      await followed.follow(profile, !following);
      following = !following;
      show();
      change();
    } catch (problem) {
      say(about, ending(refusalOf(problem).code).text);
    }
  });
  const fill = async () => {
    if (!profile) return;
    // With the member's own token it says whether they follow.
    const shown = await api.showProfile(profile, isMember() ? await keyring.houseToken() : await keyring.roomToken(room)).catch(() => undefined);
    if (!shown) return;
    say(about, shown.about ?? "");
    following = shown.following ?? false;
    button.hidden = !isMember() || shown.self === true;
    show();
    element.hidden = false;
  };
  void fill();
  return element;
}

/**
 * The dialog in which a member says who they are, and something of themselves.
 * @param {(name: string) => void} named they may have another name now
 */
export async function editProfile(named) {
  const own = await api.me(await keyring.houseToken());
  const problem = h("p", { class: "problem", role: "alert" });
  const face = h("div", { class: "profile-face" });
  const file = h("input", { id: "profile-picture", type: "file", accept: "image/*", class: "sr-only", tabindex: -1, onchange: () => choose() });
  const name = nameField("profile-name", own.name ?? "");
  const about = h("input", { id: "profile-about", maxlength: 160, dir: "auto", autocomplete: "off", placeholder: t("profile.about.example"), value: own.about ?? "" });
  const drop = h("button", { type: "button", class: "ghost", onclick: () => attempt(async (token) => draw((await api.removePicture(token)).picture)) }, t("profile.picture.remove"));
  const submit = h("button", { class: "primary big" }, t("action.save"));
  const draw = (/** @type {string | undefined} */ picture) => {
    face.replaceChildren(avatar(own.name ?? "", "", picture));
    drop.hidden = !picture;
  };
  const attempt = async (/** @type {(token: string) => Promise<void>} */ what) => {
    problem.textContent = "";
    try {
      await what(await keyring.houseToken());
      return true;
    } catch (e) {
      const { code, message } = refusalOf(e);
      problem.textContent = ending(code, message).text;
      return false;
    }
  };
  const choose = () =>
    attempt(async (token) => {
      const chosen = file.files?.[0];
      if (chosen) draw((await api.setPicture(await square(chosen), token)).picture);
      file.value = "";
    });
  draw(own.picture);
  const box = dialog(
    t("profile.title"),
    h(
      "form",
      {
        class: "form",
        onsubmit: async (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          const done = await attempt(async (token) => {
            const saved = await api.setProfile({ name: name.value, about: about.value }, token);
            if (saved.name === own.name) return;
            vault.rename(saved.name);
            named(saved.name);
          });
          if (done) box.close();
        },
      },
      h("p", { class: "quiet" }, t("profile.text")),
      h("div", { class: "row" }, face, file, h("button", { type: "button", onclick: () => file.click() }, t("profile.picture.choose")), drop),
      h("label", { for: "profile-picture", class: "sr-only" }, t("profile.picture")),
      h("label", { for: "profile-name" }, t("name.label")),
      name,
      h("label", { for: "profile-about" }, t("profile.about")),
      about,
      problem,
      submit,
    ),
  );
}
