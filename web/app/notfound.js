import { load, translate } from "./language.js";

// The page is complete without script, in English.
try {
  await load();
  translate(document);
} finally {
  document.documentElement.classList.remove("waits");
}
