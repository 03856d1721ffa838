import assert from "node:assert/strict";
import { test } from "node:test";
import { Speaking } from "../app/speaking.js";

/** Somebody whose microphone is on, at a server that answers when it is told to. */
function on() {
  /** @type {{muted: boolean, answer: () => void, refuse: () => void}[]} */
  const asked = [];
  const problems = /** @type {unknown[]} */ ([]);
  const speaking = new Speaking(
    ({ muted }) => new Promise((answer, refuse) => asked.push({ muted, answer: () => answer({}), refuse: () => refuse(new Error("no")) })),
    { change: () => {}, problem: (e) => problems.push(e), unplugged: () => {} },
  );
  speaking.state = "on";
  speaking.mic = /** @type {any} */ ({ muted: false });
  /** The server says whether they are muted. @param {boolean} muted */
  const told = (muted) => speaking.is(muted, { byHost: false, mayUnmute: true });
  return { speaking, asked, problems, told };
}

test("who presses twice before the server has answered is muted, and heard again", async () => {
  const { speaking, asked, told } = on();
  const first = speaking.toggle();
  assert.equal(speaking.mic?.muted, true, "at once");
  const second = speaking.toggle();
  assert.deepEqual(asked.map((a) => a.muted), [true, false]);
  told(true);
  asked[0]?.answer();
  await first;
  const third = speaking.toggle();
  assert.equal(asked[2]?.muted, true, "the second is still under way");
  told(false);
  asked[1]?.answer();
  told(true);
  asked[2]?.answer();
  await Promise.all([second, third]);
  void speaking.toggle();
  assert.equal(asked[3]?.muted, false);
});

test("a press that is refused does not count", async () => {
  const { speaking, asked, problems } = on();
  const first = speaking.toggle();
  asked[0]?.refuse();
  await first;
  assert.equal(problems.length, 1);
  assert.equal(speaking.mic?.muted, false);
  void speaking.toggle();
  assert.equal(asked[1]?.muted, true);
});

test("a host who mutes somebody in between is undone by their next press", async () => {
  const { speaking, asked, told } = on();
  const mute = speaking.toggle();
  told(true);
  asked[0]?.answer();
  await mute;
  const unmute = speaking.toggle();
  told(false);
  asked[1]?.answer();
  await unmute;
  told(true); // by the host
  void speaking.toggle();
  assert.equal(asked[2]?.muted, false);
});

test("a press counts between the answer and what has changed", async () => {
  const { speaking, asked, told } = on();
  const mute = speaking.toggle();
  asked[0]?.answer();
  await mute;
  const unmute = speaking.toggle();
  assert.equal(asked[1]?.muted, false);
  told(true);
  asked[1]?.answer();
  await unmute;
  told(false);
  void speaking.toggle();
  assert.equal(asked[2]?.muted, true);
});

test("who is muted by a host before their own request is answered can unmute", async () => {
  const { speaking, asked, told } = on();
  const mute = speaking.toggle();
  told(true); // by the host: the request changes nothing
  asked[0]?.answer();
  await mute;
  void speaking.toggle();
  assert.equal(asked[1]?.muted, false);
});
