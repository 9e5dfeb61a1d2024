// A button that shows and hides a part: the browser's half of `Disclosure` in `controls.py`.

function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "jupyter-button widget-button";
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
