import assert from "node:assert/strict";
import { test } from "node:test";
import { t } from "../app/language.js";
import { another, slug } from "../app/route.js";
import { initials } from "../app/view/avatar.js";
import { reach, talks } from "../app/voices.js";
import { aside, bundling, ending } from "../app/words.js";
import "./english.js";

test("a title becomes an address that the server takes", () => {
  for (const title of ["Friday Night!", "Über uns", "..", "日本語", "a".repeat(60)]) {
    assert.match(slug(title), /^[a-z0-9][a-z0-9-]{0,63}$/, title);
    assert.match(another(slug(title)), /^[a-z0-9][a-z0-9-]{0,63}$/, title);
  }
  assert.equal(slug("Über-Ärger in Straße"), "uber-arger-in-strasse");
  assert.notEqual(another("c"), "c");
});

test("initials are those of the first and the last word", () => {
  assert.equal(initials("Ada"), "A");
  assert.equal(initials("ada king lovelace"), "AL");
  assert.equal(initials("𝔄da"), "𝔄");
  assert.equal(initials("🇩🇪 Zoe\u0308 👩‍🚀"), "🇩🇪👩‍🚀");
  assert.equal(initials("נועה (1)"), "נ1");
  assert.equal(initials("Ada (she)"), "AS");
  assert.equal(initials("- Ada -"), "A");
  assert.equal(initials("!?"), "!");
  assert.equal(initials("  "), "?");
});

test("a ring reaches further for a louder voice and not at all for silence", () => {
  assert.equal(reach(0), 0);
  assert.equal(reach(1), 1);
  assert.ok(reach(0.1) > reach(0.01));
  assert.equal(talks(0), false);
  assert.equal(talks(0.1), true);
});

test("there are words for what the server says, and its own where there are none", () => {
  assert.match(ending("room_full").title, /full/);
  assert.equal(ending("strange", "the moon is down").text, "The moon is down.");
  assert.equal(aside("came", { name: "Ada" }), "Ada came to the stage");
  assert.equal(t("audience.count", { n: 1 }), "1 person listening");
  assert.equal(t("listeners", { n: 1200 }), "1,200 listeners");
});

test("a room says what bundles cost", () => {
  assert.equal(bundling(0), "At once");
  assert.equal(bundling(60), "In bundles, up to 60 ms later");
});
