// Numbered tabs for the moves of a step: the browser's half of `move_list.py`, which puts
// `elements.js` before this file.

const KEYS = {
  ArrowLeft: (index) => index - 1,
  ArrowRight: (index) => index + 1,
  Home: () => 0,
  End: () => Infinity,
};
const USES_KEYS = "input, select, textarea, [role=listbox], [tabindex='0'][role=group], [role=region]";

function render({ model, el }) {
  const list = document.createElement("div");
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", "The moves of one training step");
  const tabs = model.get("names").map((_, index) => {
    const tab = makeButton("", { className: "mw-move", id: makeId() });
    tab.setAttribute("role", "tab");
    tab.addEventListener("click", () => moveTo(index));
    list.append(tab);
    return tab;
  });
  const back = makeButton("Back", { className: "mw-move-back" });
  const next = makeButton("Next", { className: "mw-move-next" });
  back.setAttribute("aria-label", "Back one move");
  next.setAttribute("aria-label", "Next move");
  back.addEventListener("click", () => moveTo(model.get("move_index") - 1));
  next.addEventListener("click", () => moveTo(model.get("move_index") + 1));
  el.append(list, back, next);

  function moveTo(index) {
    model.set("move_index", Math.max(0, Math.min(index, tabs.length - 1)));
    model.save_changes();
  }

  function show() {
    const current = model.get("move_index");
    model.get("names").forEach((name, index) => {
      const tab = tabs[index];
      const number = Object.assign(document.createElement("b"), { textContent: index + 1 });
      const words = Object.assign(document.createElement("span"), { textContent: name });
      tab.replaceChildren(number, words);
      tab.setAttribute("aria-label", `${index + 1} ${name}`);
      tab.title = name;
      tab.setAttribute("aria-selected", String(index === current));
      tab.tabIndex = index === current ? 0 : -1;
    });
    // not `disabled`: the button would lose the focus
    back.setAttribute("aria-disabled", String(current === 0));
    next.setAttribute("aria-disabled", String(current === tabs.length - 1));
    if (list.contains(document.activeElement)) tabs[current].focus({ preventScroll: true });
    nameContent();
  }

  let frame = 0;
  function nameContent() {
    cancelAnimationFrame(frame);
    const content = el.closest(".mw-step-explorer")?.querySelector(".mw-step-content");
    if (!content) {
      frame = requestAnimationFrame(nameContent); // not on the page yet
      return;
    }
    content.setAttribute("role", "tabpanel");
    content.setAttribute("aria-labelledby", tabs[model.get("move_index")].id);
  }

  // Notebook 7 takes the arrow keys before they reach an output, so they are caught on their way
  // down from the window.
  function onKeyDown(event) {
    const hasModifier = event.ctrlKey || event.altKey || event.metaKey || event.shiftKey;
    if (!Object.hasOwn(KEYS, event.key) || hasModifier) return;
    const explorer = el.closest(".mw-step-explorer");
    if (!explorer?.contains(event.target)) return;
    if (explorer.contains(event.target.closest(USES_KEYS))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    moveTo(KEYS[event.key](model.get("move_index")));
  }
  window.addEventListener("keydown", onKeyDown, { capture: true });

  show();
  model.on("change:move_index change:names", show);
  return () => {
    cancelAnimationFrame(frame);
    window.removeEventListener("keydown", onKeyDown, { capture: true });
    model.off("change:move_index change:names", show);
  };
}

export default { render };
