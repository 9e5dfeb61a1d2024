// A button that shows and hides a part: the browser's half of `Disclosure` in `controls.py`, which
// puts `elements.js` before this file.

const GROWS_MS = 2000; // a part that is opened for the first time is built only then

function render({ model, el }) {
  const button = makeButton("");
  el.append(button);
  let observer = null; // of the part that grows
  let isAwaited = false; // whether a person has just pressed this button to open the part
  function show() {
    const isOpen = model.get("is_open");
    button.textContent = model.get(isOpen ? "fewer" : "more");
    button.setAttribute("aria-expanded", String(isOpen));
    // another view of the button has a part of its own
    const part = el.closest(".mw-panel")?.querySelector(`.${model.get("part_class")}`);
    observer?.disconnect();
    if (isOpen && isAwaited && part) observer = keepInView(part);
    isAwaited = false;
  }
  show();
  // the kernel shows the part, and then says so
  button.addEventListener("click", () => {
    isAwaited = !model.get("is_open");
    model.send({ is_open: isAwaited });
  });
  model.on("change:is_open", show);
  return () => {
    observer?.disconnect();
    model.off("change:is_open", show);
  };
}

// Scroll as little as needed, while the part grows to its size.
function keepInView(part) {
  const observer = new ResizeObserver(() => part.scrollIntoView({ block: "nearest" }));
  observer.observe(part);
  setTimeout(() => observer.disconnect(), GROWS_MS);
  return observer;
}

export default { render };
