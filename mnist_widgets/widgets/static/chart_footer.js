// The line below a chart: the browser's half of `chart_footer.py`, which puts `elements.js` and
// `download.js` before this file.

const SETTLED_MS = 2000; // a caption that stays for this time is read aloud
const READ_MS = 5000; // after this time its spoken copy is removed, so that the page has the words once

function add(parent, tag, properties = {}, attributes = {}) {
  const element = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

function onEscape(element, action) {
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && action()) event.stopPropagation();
  });
}

function render({ model, el }) {
  const cleanUp = new AbortController();
  function follow(events, action) {
    model.on(events, action);
    cleanUp.signal.addEventListener("abort", () => model.off(events, action));
  }

  const caption = add(el, "p", { className: "mw-caption", id: makeId() });
  const spoken = add(el, "p", { className: "mw-spoken" }, { "aria-live": "polite" });
  const failure = add(el, "p", { className: "mw-save-error mw-alert" }, { role: "alert" });
  const data = add(el, "button", { className: "mw-data-button", textContent: "Data" });
  const menu = add(el, "details", { className: "mw-save" });
  const save = add(menu, "summary", { textContent: "Save" });
  const choices = add(menu, "div");
  const table = add(
    el,
    "div",
    { className: "mw-data", tabIndex: 0 },
    {
      hidden: "",
      role: "region",
      "data-lm-suppress-shortcuts": "true", // else JupyterLab takes the arrow keys
    },
  );

  // --- The name of the chart, which its own view does not have, in the names of all parts

  let frame = 0;
  function nameChart() {
    // the chart is the first child of the box that the footer closes
    const chart = el.closest(".mw-chart")?.firstElementChild;
    const isGrid = chart?.matches(".mw-grid"); // its list has a name of its own
    const named = isGrid ? chart.querySelector(".mw-grid-list") : chart;
    if (!named) {
      frame = requestAnimationFrame(nameChart); // not on the page yet
      return;
    }
    named.setAttribute("aria-describedby", caption.id);
    if (isGrid) return;
    named.setAttribute("role", "img");
    named.setAttribute("aria-label", model.get("name"));
  }
  function nameParts() {
    const theChart = `the ${model.get("name").toLowerCase()}`;
    data.title = `Show the numbers of ${theChart} as a table`;
    for (const part of [data, table]) part.setAttribute("aria-label", `Data of ${theChart}`);
    save.setAttribute("aria-label", `Save ${theChart}`);
    cancelAnimationFrame(frame);
    nameChart();
  }
  nameParts();
  follow("change:name", nameParts);

  // --- The caption

  let timer = 0;
  let known = model.get("topic"); // found by reading the page, or read aloud
  function speak() {
    spoken.textContent = caption.textContent;
    known = model.get("topic");
    timer = setTimeout(() => (spoken.textContent = ""), READ_MS);
  }
  function showCaption() {
    const topic = model.get("topic");
    caption.textContent = keepPercent(model.get("caption"));
    spoken.textContent = "";
    clearTimeout(timer);
    const isNew = topic && topic !== known;
    if (isNew && model.get("may_speak")) timer = setTimeout(speak, SETTLED_MS);
  }
  showCaption();
  follow("change:caption change:topic change:may_speak", showCaption);

  // --- The table, which the kernel writes on request

  function showTable() {
    // a table on the page stays until the next one: hiding it would lose the focus in it
    const isThere = model.get("table") !== "" || !table.hidden;
    const isShown = model.get("shows_data") && isThere;
    data.setAttribute("aria-expanded", String(isShown));
    table.hidden = !isShown;
    el.closest(".mw-chart")?.classList.toggle("mw-shows-data", isShown);
    if (isShown && model.get("table")) table.innerHTML = model.get("table");
  }
  showTable();
  follow("change:shows_data change:table", showTable);
  function requestTable(isWanted) {
    model.set("shows_data", isWanted);
    model.save_changes();
  }
  data.addEventListener("click", () => requestTable(!model.get("shows_data")));
  function closeTable() {
    if (!model.get("shows_data")) return false;
    data.focus();
    requestTable(false);
    return true;
  }
  onEscape(data, closeTable);
  onEscape(table, closeTable);

  // --- Files

  const awaited = new Set(); // the requests of this view: others get the answers too
  for (const [ending, label] of [
    ["png", "Picture (PNG)"],
    ["csv", "Numbers (CSV)"],
  ]) {
    add(choices, "button", { textContent: label }).addEventListener("click", () => {
      const id = makeId();
      awaited.add(id);
      failure.textContent = "";
      model.send({ save: ending, id });
      closeMenu();
    });
  }
  function closeMenu() {
    if (!menu.open) return false;
    menu.open = false;
    save.focus();
    return true;
  }
  onEscape(menu, closeMenu);
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
  });
  const onPress = (event) => {
    if (!event.composedPath().includes(menu)) menu.open = false;
  };
  document.addEventListener("pointerdown", onPress, { capture: true, signal: cleanUp.signal });
  follow("msg:custom", ({ id, save: ending, error }, buffers) => {
    if (!awaited.delete(id)) return;
    if (error) failure.textContent = error;
    else download(buffers[0], `${model.get("name").toLowerCase().replaceAll(" ", "_")}.${ending}`);
  });

  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    cleanUp.abort();
  };
}

export default { render };
