import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { SyntaxKind as Kind } from "typescript/unstable/ast";
import { API } from "typescript/unstable/sync";

// Every text that people read is in the tables of app/lang. This finds those in the code.

/** Functions that show the arguments from one on. */
const showing = { h: 2, say: 1, toast: 0, dialog: 0, confirm: 0, choice: 2 };
/** Properties that are shown, or read out. */
const shown = ["aria-label", "title", "placeholder", "alt", "label", "text", "textContent", "innerText", "over", "yes", "detail", "ariaLabel", "artist"];
/** Properties that nobody sees, whatever stands in them. */
const unseen = ["class", "className", "d", "accept", "content", "style"];
/** Functions whose arguments only developers see, or that look things up. */
const internal = ["Refusal", "Error", "DOMException", "svg", "t", "maybe", "querySelector", "querySelectorAll", "matchMedia", "closest"];
/** What is the same in every language. */
const same = /^[^\p{L}]*(earshot)?[^\p{L}]*$/u;

/**
 * The texts in a module that people may read.
 * @param {any} source
 */
function literals(source) {
  /** @type {string[]} */
  const found = [];
  visit(source);
  return found;

  /** @param {any} node */
  function visit(node) {
    const text = literal(node);
    if (text !== undefined && !same.test(text) && seen(node, text)) found.push(text);
    node.forEachChild(visit);
  }
}

/** @param {any} node */
function literal(node) {
  if ([Kind.StringLiteral, Kind.NoSubstitutionTemplateLiteral, Kind.TemplateHead, Kind.TemplateMiddle, Kind.TemplateTail].includes(node.kind)) return node.text;
}

/**
 * Whether people may see a text: where it stands says so, or it looks as if.
 * @param {any} node
 * @param {string} text
 */
function seen(node, text) {
  const words = /\p{L}{2,}[,.;:?!…]* \p{L}|^\p{Lu}\p{Ll}+[.?!…]?$/u.test(text);
  for (let at = node; at.parent; at = at.parent) {
    const { parent } = at;
    switch (parent.kind) {
      case Kind.ImportDeclaration:
        return false;
      case Kind.ElementAccessExpression:
        if (parent.argumentExpression === at) return false;
        break;
      case Kind.BinaryExpression: {
        const operator = parent.operatorToken.kind;
        if ([Kind.EqualsEqualsEqualsToken, Kind.ExclamationEqualsEqualsToken, Kind.InKeyword].includes(operator)) return false;
        if (operator === Kind.EqualsToken) return judged(parent.left.name?.text, words);
        break;
      }
      case Kind.PropertyAssignment:
        return at === parent.initializer && judged(parent.name.text, words);
      case Kind.ConditionalExpression:
        if (at === parent.condition) return false;
        break;
      case Kind.CallExpression:
      case Kind.NewExpression: {
        const name = parent.expression.name?.text ?? parent.expression.text ?? "";
        if (internal.includes(name)) return false;
        const from = showing[/** @type {keyof typeof showing} */ (name)];
        return words || (from !== undefined && parent.arguments.indexOf(at) >= from);
      }
      case Kind.Block:
      case Kind.SourceFile:
        return words;
    }
  }
  return words;
}

/**
 * @param {string | undefined} property
 * @param {boolean} words whether the text looks like words
 */
function judged(property = "", words) {
  return shown.includes(property) || (words && !unseen.includes(property));
}

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Reads the modules of a folder.
 * @param {string} folder
 * @param {string} config the tsconfig.json that they belong to
 * @returns {{[name: string]: string[]}} the texts of those that have some
 */
function inFolder(folder, config) {
  const names = readdirSync(folder, { recursive: true }).map(String).filter((name) => name.endsWith(".js"));
  const api = new API({ cwd: folder });
  try {
    const { program } = api.updateSnapshot({ openProject: config }).getProjects()[0];
    const all = names.map((name) => {
      const source = program.getSourceFile(join(folder, name));
      assert.ok(source, `${name} is not in tsconfig.json`);
      return [name, literals(source)];
    });
    return Object.fromEntries(all.filter(([, found]) => found.length > 0));
  } finally {
    api.close();
  }
}

test("every text of the page is in a table", () => {
  const config = here("../tsconfig.json");
  assert.deepEqual(inFolder(here("../../signaling/panel"), config), {});
  const found = inFolder(here("../app"), config);
  assert.deepEqual(found, {
    "types.js": ["Refusal"], // what JavaScript calls it
  });
});

test("a text in the code is found", () => {
  const folder = mkdtempSync(join(tmpdir(), "earshot-strings-"));
  try {
    writeFileSync(join(folder, "tsconfig.json"), `{"compilerOptions": {"allowJs": true, "noEmit": true}, "include": ["*.js"]}`);
    const samples = /** @type {[string, string[]][]} */ ([
      [`h("p", { class: "quiet big" }, "more")`, ["more"]],
      [`h("p", {}, n > 1 ? "many" : name)`, ["many"]],
      ["h('p', {}, `${name} left`)", [" left"]],
      [`h("button", { "aria-label": "Close", type: "button" })`, ["Close"]],
      [`h("input", { placeholder: "Ada" })`, ["Ada"]],
      [`say(title, "gone")`, ["gone"]],
      [`problem.textContent = code === "forbidden" ? "no" : other`, ["no"]],
      [`apply(button, { title: "Applaud" })`, ["Applaud"]],
      [`const words = { a: "All is quiet." }`, ["All is quiet."]],
      [`share("Invite people", "Whoever opens it", make)`, ["Invite people", "Whoever opens it"]],
      [`h("p", { class: "over quiet", id: "x" }, t("gate.own"), "earshot", " · ")`, []],
      [`throw new Refusal("unreachable", "the server cannot be reached")`, []],
      [`if (state === "Some thing") call.request({ type: "raise-hand" })`, []],
      [`import { x } from "./Some thing.js"`, []],
    ]);
    samples.forEach(([code], i) => writeFileSync(join(folder, `s${i}.js`), code));
    const found = inFolder(folder, join(folder, "tsconfig.json"));
    samples.forEach(([code, want], i) => assert.deepEqual(found[`s${i}.js`] ?? [], want, code));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a page's own words are in a table too", () => {
  for (const [name, allowed] of /** @type {[string, string[]][]} */ ([
    ["index.html", ["earshot"]],
    ["notfound.html", ["earshot"]],
    ["../../signaling/panel/page.html", []],
  ])) {
    const page = readFileSync(new URL(`../app/${name}`, import.meta.url), "utf8");
    assert.deepEqual(untranslated(page).filter((text) => !allowed.includes(text)), [], name);
  }
  assert.deepEqual(untranslated(`<p>brand</p><h1 data-text="a.b">There</h1> <p>is <a data-text="c" href="/">nothing</a>.</p>`), ["brand", "is", "."]);
});

/**
 * The texts of a page that carry no key.
 * @param {string} page
 */
function untranslated(page) {
  const bare = page.replace(/<!doctype[^>]*>|<!--.*?-->/gs, "").replace(/<(\w+)[^>]*\sdata-text="[^"]+"[^>]*>[^<]*<\/\1>/g, "\n");
  const filled = /^\{\{[a-z_.]+\}\}$/; // by the server
  return bare.replace(/<[^>]*>/g, "\n").split("\n").map((s) => s.trim()).filter((s) => s && !filled.test(s));
}
