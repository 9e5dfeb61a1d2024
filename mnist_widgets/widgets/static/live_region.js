// Words for screen readers alone: the browser's half of `LiveRegion` in `controls.py`.

function render({ model, el }) {
  el.setAttribute("role", "status");
  const show = () => (el.textContent = model.get("words"));
  show();
  model.on("change:words", show);
  return () => model.off("change:words", show);
}

export default { render };
