// A button that shows and hides a part: the browser's half of `Disclosure` in `controls.py`, which
// puts `elements.js` before this file.

function render({ model, el }) {
  const button = makeButton("");
  el.append(button);
  function show() {
    const isOpen = model.get("is_open");
    button.textContent = model.get(isOpen ? "fewer" : "more");
    button.setAttribute("aria-expanded", String(isOpen));
  }
  show();
  // the kernel shows the part, and then says so
  button.addEventListener("click", () => model.send({ is_open: !model.get("is_open") }));
  model.on("change:is_open", show);
  return () => model.off("change:is_open", show);
}

export default { render };
