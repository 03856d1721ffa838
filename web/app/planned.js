// The page behind the link of a planned room is for programs that preview links. People go on.
const onward = document.querySelector("a");
if (onward) {
  const to = new URL(onward.href);
  to.search = location.search; // the language, if the link asks for one
  location.replace(to);
}
