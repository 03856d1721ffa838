// The page behind the link of a planned room is for programs that preview links. People go on.
const onward = document.querySelector("a");
if (onward) location.replace(onward.href);
